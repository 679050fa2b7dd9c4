/** A websocket that comes back by itself: after a lost connection, and after a sleep through which it only looks alive. */

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 3000;
const LOOK_MS = 1000;
/** Without a word for so long the connection is dead, whatever the browser believes: a bench speaks once a second. */
const SILENT_MS = 5000;

export class LastingSocket {
  onOpen: () => void = () => {};
  /** Called once for each connection that ends, or cannot be made. */
  onLost: () => void = () => {};
  onMessage: (data: ArrayBuffer | string) => void = () => {};

  private socket: WebSocket | null = null;
  private retryMs = FIRST_RETRY_MS;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private heardMs = 0;
  private isEnded = false;

  constructor(private readonly url: () => string) {}

  get isOpen(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  start(): void {
    this.connect();
    setInterval(() => this.look(), LOOK_MS);
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.wake());
  }

  /** Send a text, where there is a connection now. */
  send(text: string): void {
    if (this.isOpen) this.socket!.send(text);
  }

  /** Give up this connection, and make another. */
  renew(): void {
    const { socket } = this;
    if (socket === null) return;
    this.drop(socket);
    this.lost();
  }

  /** No more: there is no sense in trying again. */
  end(): void {
    this.isEnded = true;
    clearTimeout(this.retry);
    if (this.socket !== null) this.renew();
  }

  private connect(): void {
    const socket = new WebSocket(this.url());
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardMs = performance.now();
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.onOpen();
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => {
      this.heardMs = performance.now();
      this.onMessage(event.data);
    };
    socket.onclose = () => {
      this.drop(socket);
      this.lost();
    };
  }

  /** Whatever this one still says is not heard: another takes its place. */
  private drop(socket: WebSocket): void {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.socket = null;
  }

  private lost(): void {
    if (!this.isEnded) {
      this.retry = setTimeout(() => this.connect(), this.retryMs);
      this.retryMs = Math.min(LAST_RETRY_MS, this.retryMs * 2);
    }
    this.onLost();
  }

  private look(): void {
    if (this.socket !== null && performance.now() - this.heardMs > SILENT_MS && !document.hidden) this.renew();
  }

  /** Somebody looks again, or the network is back: a timer of a hidden page may have a minute to go. */
  private wake(): void {
    if (document.hidden || this.isEnded) return;
    this.look();
    if (this.socket !== null) return;
    clearTimeout(this.retry);
    this.connect();
  }
}

/** Where the websocket of the page at hand is; a tag keeps this tab's leases over a reload. */
export function socketUrl(name: string): string {
  const page = sessionStorage.getItem("spikedaq.page") ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.setItem("spikedaq.page", page);
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ page, name }).toString();
  return url.href;
}
