/** Which device is shown. */
import { device, devices, selected } from "../state";

export function DevicePicker() {
  const current = selected.value;
  const severalBenches = new Set(devices.value.map((d) => d.bench)).size > 1;
  return (
    <label class="row">
      <span class="hidden">Device</span>
      <select
        name="device"
        value={current ? `${current.bench}/${current.device}` : ""}
        onChange={(event) => {
          const chosen = devices.value.find((d) => `${d.bench}/${d.device}` === event.currentTarget.value);
          if (chosen) selected.value = { bench: chosen.bench, device: chosen.device };
        }}
      >
        {devices.value.map((d) => (
          <option key={`${d.bench}/${d.device}`} value={`${d.bench}/${d.device}`}>
            {severalBenches ? `${d.bench}: ` : ""}
            {d.device}
          </option>
        ))}
      </select>
      {device.value && device.value.state !== "running" && (
        <span class="pill bad" title={device.value.detail}>
          {device.value.state}
        </span>
      )}
    </label>
  );
}
