// The other half of d1.rs.
//
// A call crosses from wasm to JavaScript once, and its answer once back: statements and values come as one text of
// JSON, rows go as one. Bytes, which JSON has no form for, come and go beside it.

function describe(error) {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "what was thrown cannot be shown";
  }
}

// Makes D1's statements. Where a value is an array, it holds the length of bytes that are next in `bytes`. Those are
// a view of wasm's memory: `bind` copies them.
function prepare(database, packed, bytes) {
  let at = 0;
  const unpack = (value) => (Array.isArray(value) ? bytes.subarray(at, (at += value[0])) : value);
  return JSON.parse(packed).map(([sql, values]) => {
    const statement = database.prepare(sql);
    return values.length === 0 ? statement : statement.bind(...values.map(unpack));
  });
}

const bits = new DataView(new ArrayBuffer(8));

// Each answer is [changes, last row id, columns, rows]. Where a cell is an array of one, it holds the length of bytes
// that are next in what comes beside it: D1 returns a blob as an array of numbers. An array of two is a real number, by
// its bits: whoever reads them from decimals to the last one has tables for it, which are half the size of all this.
function pack(answers) {
  const blobs = [];
  let length = 0;
  for (const [, , , rows] of answers) {
    for (const row of rows) {
      for (let at = 0; at < row.length; at += 1) {
        const cell = row[at];
        if (Number.isFinite(cell) && !Number.isSafeInteger(cell)) {
          bits.setFloat64(0, cell);
          row[at] = [bits.getUint32(0), bits.getUint32(4)];
        }
        if (typeof cell !== "object" || cell === null) continue;
        const blob = ArrayBuffer.isView(cell) ? cell : new Uint8Array(cell);
        blobs.push(blob);
        length += blob.length;
        row[at] = [blob.length];
      }
    }
  }
  const text = JSON.stringify(answers);
  if (blobs.length === 0) return text;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const blob of blobs) {
    bytes.set(blob, at);
    at += blob.length;
  }
  return [text, bytes];
}

const calls = {
  async run([statement]) {
    const { meta } = await statement.run();
    return [[meta?.changes, meta?.last_row_id, [], []]];
  },

  async all([statement]) {
    // Not `all`, whose rows are objects: of two columns with one name those have the second only.
    const rows = await statement.raw({ columnNames: true });
    const columns = rows.shift() ?? [];
    return [[0, null, columns, rows]];
  },

  // D1 hands over all rows whatever is asked for; wasm gets one.
  async first(statements) {
    const [[changes, id, columns, rows]] = await calls.all(statements);
    return [[changes, id, columns, rows.slice(0, 1)]];
  },

  async batch(statements, database) {
    const results = await database.batch(statements);
    return results.map(({ meta, results: rows }) => [
      meta?.changes,
      meta?.last_row_id,
      rows.length === 0 ? [] : Object.keys(rows[0]),
      rows.map(Object.values),
    ]);
  },
};

// Resolves to a text, or to a text and bytes. Rejects with a message.
export async function send(database, call, packed, bytes) {
  try {
    return pack(await calls[call](prepare(database, packed, bytes), database));
  } catch (error) {
    throw describe(error);
  }
}
