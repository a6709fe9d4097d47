// The host's end of the line to one guest's first process: JSON lines over a unix socket. No knowledge of what they mean.
import { connect, type Socket } from 'node:net';

export type GuestRequest =
  | { op: 'run'; id: string; body: string; workingDirectory?: string; timeoutMs: number; env: Record<string, string> }
  | { op: 'kill'; id: string }
  | { op: 'listen'; port: number }
  | { op: 'network'; up: boolean }
  | { op: 'disk'; freeMib: number | null }
  /** The moment that the guest had planned its shutdown for. */
  | { op: 'due' }
  | { op: 'down'; how: 'poweroff' | 'reboot'; graceMs: number };

export type GuestEvent =
  | { event: 'state'; running: string[]; halted: boolean; plannedAt: number | null }
  | { event: 'done'; id: string }
  /** `shutdown +N` inside, by the world's time; null: called off. */
  | { event: 'planned'; at: number | null }
  | { event: 'down'; how: 'poweroff' | 'reboot' | 'halt' };

export interface GuestLink {
  send(request: GuestRequest): void;
  close(): void;
}

/** Resolves with the link and the guest's first words, its state. `onEnd` is called once, when the guest hangs up. */
export function openGuestLink(
  socketPath: string,
  onEvent: (event: GuestEvent) => void,
  onEnd: () => void,
): Promise<{ link: GuestLink; state: Extract<GuestEvent, { event: 'state' }> }> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(socketPath);
    let greeted = false;
    let closed = false;
    let held = '';
    const link: GuestLink = {
      send(request) {
        socket.write(`${JSON.stringify(request)}\n`);
      },
      close() {
        closed = true;
        socket.destroy();
      },
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const lines = (held + chunk).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) {
        const event = JSON.parse(line) as GuestEvent;
        if (event.event === 'state' && !greeted) {
          greeted = true;
          resolve({ link, state: event });
        } else onEvent(event);
      }
    });
    // `close` follows every error; what went wrong matters only to whoever waits for the greeting.
    socket.on('error', (error) => reject(error));
    socket.on('close', () => {
      if (!greeted) reject(new Error(`the guest behind ${socketPath} hung up`));
      else if (!closed) onEnd();
    });
  });
}
