// Requests to the console, with typed errors.

const ROOT = "/api/v1";
const TOKEN = "perennial-console-token";

/// A request that failed. `kind` is that of the server, or `unreachable`.
export class ApiError extends Error {
  constructor(status, kind, detail) {
    super(detail || kind);
    this.name = "ApiError";
    this.status = status;
    this.kind = kind;
  }
}

/// Returns the token, which lives as long as this tab.
export function token() {
  return sessionStorage.getItem(TOKEN);
}

/// Keeps the token in this tab, or forgets it.
export function setToken(value) {
  if (value) sessionStorage.setItem(TOKEN, value);
  else sessionStorage.removeItem(TOKEN);
}

/// Returns `?a=1&b=2` of the parameters that have a value.
export function query(parameters = {}) {
  const entries = Object.entries(parameters).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return entries.length === 0 ? "" : `?${new URLSearchParams(entries)}`;
}

/// Fetches a resource.
///
/// Throws an `ApiError` if there is no answer, or one that is no success.
export function get(path, parameters, { signal } = {}) {
  return request(`${ROOT}${path}${query(parameters)}`, {
    signal,
    headers: authorization(),
  });
}

/// Does something, for which it needs the token, or asks what is too long for an address.
export function post(path, body, { signal } = {}) {
  return request(`${ROOT}${path}`, {
    method: "POST",
    signal,
    body: JSON.stringify(body),
    headers: { ...authorization(), "Content-Type": "application/json" },
  });
}

function authorization() {
  return token() ? { Authorization: `Bearer ${token()}` } : {};
}

async function request(url, options) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The console does not answer.");
  }
  const body = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (answer.ok && body !== null) return body;
  throw new ApiError(
    answer.status,
    body?.error ?? "failed",
    body?.detail ?? `The answer has the status ${answer.status}.`,
  );
}
