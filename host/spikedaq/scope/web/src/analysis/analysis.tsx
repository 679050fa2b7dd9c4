/** Recordings and their analysis. */
export function Analysis() {
  return <section class="page" />;
}
