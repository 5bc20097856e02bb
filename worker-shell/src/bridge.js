// The other half of bridge.rs.
//
// What a fetch costs in a Worker is mostly the way between wasm and JavaScript. So each goes there and back as seldom as
// can be: a request with all its headers is one string, and so is the head of a response; a chunk is copied once.
//
// Nothing here belongs to one request and is kept for another: a callback is called within the request that it is for,
// with the number under which the Rust side waits for it.

let call;

// Hands in what is called with (id, …). Once for each instance of the module.
export function connect(answered, chunk, ended, failed, fired) {
  call = { answered, chunk, ended, failed, fired };
}

// The name of what was thrown and, in the next line, its message.
export function describe(error) {
  try {
    return error instanceof Error ? `${error.name}\n${error.message}` : `\n${String(error)}`;
  } catch {
    return "\nwhat was thrown cannot be shown";
  }
}

function ignore() {}

// Makes a rejection of what is thrown at once. That goes through Rust otherwise, which nothing survives: an object that is
// used in another request than its own throws, even if it is only to be closed.
function attempt(action) {
  try {
    return Promise.resolve(action());
  } catch (error) {
    return Promise.reject(error);
  }
}

export class Exchange {
  // `head` has the method, the URL, the redirect mode, and then names and values of headers in turn, a line each.
  // `body` is undefined, a Uint8Array, or an Upload.
  constructor(id, head, body) {
    this.id = id;
    this.call = call;
    this.controller = new AbortController();
    const lines = head.split("\n");
    const [method, url, redirect] = lines;
    const headers = [];
    for (let at = 3; at + 1 < lines.length; at += 2) headers.push([lines[at], lines[at + 1]]);
    const init = { method, headers, redirect, signal: this.controller.signal };
    if (body instanceof Upload) {
      init.body = body.readable;
      init.duplex = "half";
    } else {
      init.body = body;
    }
    attempt(() => fetch(url, init)).then(
      (response) => this.#answered(response),
      (error) => this.#failed(error),
    );
  }

  #answered(response) {
    this.body = response.body;
    if (this.closed) return this.close();
    let head = response.redirected ? response.url : "";
    for (const [name, value] of response.headers) head += `\n${name}\n${value}`;
    this.call.answered(this.id, response.status, head, this.body !== null);
  }

  #failed(error) {
    if (!this.closed) this.call.failed(this.id, describe(error));
  }

  // Asks for the next chunk.
  pull() {
    attempt(() => (this.reader ??= this.body.getReader()).read()).then(
      ({ done, value }) => {
        if (this.closed) return;
        if (done) this.call.ended(this.id);
        else this.call.chunk(this.id, value);
      },
      (error) => this.#failed(error),
    );
  }

  // Gives it up: aborts the fetch, or cancels what is left of the body.
  close() {
    this.closed = true;
    const rest = this.reader ?? this.body;
    attempt(() => (rest ? rest.cancel() : this.controller.abort())).catch(ignore);
  }
}

// A request body that is sent as it comes: one chunk after the other, each once the one before was taken.
export class Upload {
  // With a length it is announced; without one the body is chunked.
  constructor(id, length) {
    this.id = id;
    this.call = call;
    const { readable, writable } =
      length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
    this.readable = readable;
    this.writer = writable.getWriter();
    this.writer.closed.catch(ignore);
  }

  #tell(action) {
    attempt(action).then(
      () => this.call.fired(this.id),
      (error) => this.call.failed(this.id, describe(error)),
    );
  }

  write(chunk) {
    this.#tell(() => this.writer.write(chunk));
  }

  finish() {
    this.#tell(() => this.writer.close());
  }

  abort() {
    attempt(() => this.writer.abort()).catch(ignore);
  }
}

// Tells `id` when the client of a request goes away; returns whether it has gone.
export function disconnected(signal, id) {
  if (signal.aborted) return true;
  // Of this instance of the module: a later one has given the number to somebody else.
  const { fired } = call;
  signal.addEventListener("abort", () => fired(id), { once: true });
  return false;
}

export function sleep(id, milliseconds) {
  return setTimeout(call.fired, milliseconds, id);
}

export function wake(handle) {
  clearTimeout(handle);
}

// Monotonic where there is such a clock; in Workers both stand still between two I/O operations.
export function now() {
  return globalThis.performance?.now() ?? Date.now();
}

export function respond(status, head, body, length) {
  const lines = head.split("\n");
  const headers = [];
  for (let at = 0; at + 1 < lines.length; at += 2) headers.push([lines[at], lines[at + 1]]);
  if (length !== undefined) body = body.pipeThrough(new FixedLengthStream(length));
  // What is encoded already is not encoded again.
  return new Response(body, { status, headers, encodeBody: "manual" });
}
