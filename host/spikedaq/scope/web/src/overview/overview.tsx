/** A tile for each device of all benches. */
import { devices, selected } from "../state";

export function Overview() {
  return (
    <section class="page tiles">
      {devices.value.map(({ bench, device, status }) => (
        <a
          key={`${bench}/${device}`}
          class="tile"
          href="#/scope"
          onClick={() => {
            selected.value = { bench, device };
          }}
        >
          <h3>{device}</h3>
          <p>
            {bench}: {status.state}
          </p>
        </a>
      ))}
    </section>
  );
}
