/* Two places for records with one way to use them: the browser's database, and the memory of this page where there is none. */

/** Bumped with every new table; `upgrade` brings older ones along. */
export const VERSION = 2;
/** Table -> the field that names a record. */
export const TABLES = /** @type {const} */ ({ cards: "id", reviews: "key", settings: "name", aside: "key", interviews: "key", recordings: "key" });

/** @typedef {keyof typeof TABLES} Table */
/**
 * @typedef {object} Rows one table within a transaction
 * @property {(key: string) => Promise<any>} get
 * @property {() => Promise<any[]>} all
 * @property {(record: any) => Promise<unknown>} put
 * @property {(key: string) => Promise<unknown>} remove
 * @property {() => Promise<unknown>} clear
 */
/** @typedef {(table: Table) => Rows} Rooms */
/** @typedef {{run: <T>(tables: Table[], mode: "readonly" | "readwrite", work: (rooms: Rooms) => Promise<T>) => Promise<T>}} Backend */

/** The database is there but is not ours to read. */
export class Broken extends Error {}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const answer = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/**
 * Opens or creates the database. Rejects with the browser's error, or Broken where tables are missing.
 * @param {string} name
 * @returns {Promise<Backend>}
 */
export async function openDatabase(name) {
  const request = indexedDB.open(name, VERSION);
  request.onupgradeneeded = () => upgrade(request.result);
  const database = await answer(request);
  // Another tab with a newer version of this page wants to upgrade: let it.
  database.onversionchange = () => database.close();
  const tables = /** @type {Table[]} */ (Object.keys(TABLES));
  if (!tables.every(table => database.objectStoreNames.contains(table))) {
    database.close();
    throw new Broken(`${name} lacks tables`);
  }
  return { run: (names, mode, work) => transact(database, names, mode, work) };
}

/** @param {IDBDatabase} database */
function upgrade(database) {
  for (const [table, keyPath] of Object.entries(TABLES)) {
    if (!database.objectStoreNames.contains(table)) database.createObjectStore(table, { keyPath });
  }
}

/**
 * All of `work` or nothing of it.
 * @template T
 * @param {IDBDatabase} database
 * @param {Table[]} names
 * @param {"readonly" | "readwrite"} mode
 * @param {(rooms: Rooms) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function transact(database, names, mode, work) {
  const transaction = database.transaction(names, mode, { durability: "strict" });
  const finished = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error ?? new DOMException("aborted", "AbortError"));
  });
  /** @type {Rooms} */
  const rooms = table => {
    const rows = transaction.objectStore(table);
    return {
      get: key => answer(rows.get(key)), all: () => answer(rows.getAll()), put: record => answer(rows.put(record)),
      remove: key => answer(rows.delete(key)), clear: () => answer(rows.clear()),
    };
  };
  // Whatever goes wrong inside is told once, by `work` itself.
  finished.catch(() => {});
  try {
    const result = await work(rooms);
    await finished;
    return result;
  } catch (error) {
    if (transaction.error === null) tryAbort(transaction);
    throw transaction.error ?? error;
  }
}

/** @param {IDBTransaction} transaction */
function tryAbort(transaction) {
  try {
    transaction.abort();
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
  }
}

/** @returns {Backend} */
export function memory() {
  const tables = new Map(Object.keys(TABLES).map(table => [table, new Map()]));
  return {
    run: (_names, _mode, work) => work(table => {
      const rows = /** @type {Map<string, any>} */ (tables.get(table));
      return {
        get: async key => structuredClone(rows.get(key)), all: async () => structuredClone([...rows.values()]),
        put: async record => rows.set(record[TABLES[table]], structuredClone(record)),
        remove: async key => rows.delete(key), clear: async () => rows.clear(),
      };
    }),
  };
}
