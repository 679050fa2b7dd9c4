/** What a bench answers of its recording is shown at once: its status comes only once a second. */
import { type BenchState, type RecordingStatus, benches } from "../../state";

/** A bench's state with a newer status of its recording. */
export function withRecording(state: BenchState, recording: RecordingStatus): BenchState {
  const { status } = state;
  if (status === undefined) return state;
  const devices = status.devices.map((device) => {
    const file = recording.devices[device.name];
    return file === undefined ? device : { ...device, recording: { ...file, session: recording.session } };
  });
  return { ...state, status: { ...status, devices, recording } };
}

/** Take what `record_start` or `record_stop` answered. */
export function takeRecording(bench: string, recording: RecordingStatus): void {
  const state = benches.value.get(bench);
  if (state !== undefined) benches.value = new Map(benches.value).set(bench, withRecording(state, recording));
}
