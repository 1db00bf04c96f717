// What the page asks the server. Addresses are relative: a proxy may put the server under any prefix.

const ROOT = new URL("../", document.baseURI);

export const address = (path) => new URL(path.replace(/^\//, ""), ROOT).href;

/** An answer that is no success, with what the server says about it. */
export class Refused extends Error {
  constructor(status, body) {
    const error = (body && body.error) || {};
    super(error.message || `The server answered ${status}.`);
    this.status = status;
    this.fix = error.fix || "";
    this.line = error.line ?? null;
    this.column = error.column ?? null;
  }

  toString() {
    return this.fix ? `${this.message}. ${this.fix}` : this.message;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { error: { message: "The server cannot be reached" } });
  }
  if (!response.ok) {
    let body = null;
    try {
      body = await response.json();
    } catch (error) {
      // a proxy's own page: the status has to do
    }
    throw new Refused(response.status, body);
  }
  return response;
}

export const json = async (path, options) => (await answer(path, options)).json();
export const blob = async (path, options) => (await answer(path, options)).blob();

/** Return a picture, and the values of its first and last colour where they are known. */
export async function picture(path, options) {
  const found = await answer(path, options);
  return { body: await found.blob(), rescale: found.headers.get("X-Rescale")?.split(",").map(Number) };
}

export const post = (body, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

/** Return `path?…` with the values that are there. */
export function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
