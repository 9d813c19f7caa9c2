// The main calls with openapi-fetch and the types that openapi-typescript generates from both documents.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths as AdminPaths } from "./admin.js";
import type { paths as ValidationPaths } from "./validation.js";

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
const admin = createClient<AdminPaths>({ baseUrl: process.env.ADMIN!, ...bearer(process.env.KEY!) });
const holder = (token: string) =>
  createClient<ValidationPaths>({ baseUrl: process.env.VALIDATION!, ...bearer(token) });

/** Returns the data of an answer. A problem fails the test. */
function data<T>(answer: { data?: T; error?: unknown }): T {
  assert.equal(answer.error, undefined);
  assert.ok(answer.data !== undefined);
  return answer.data;
}

async function tokens() {
  const issued = data(await admin.POST("/v1/tokens", { body: { user: "erin", ip: "203.0.113.7" } }));
  const params = { path: { id: issued.id } };
  const shown = data(await admin.GET("/v1/tokens/{id}", { params }));
  assert.equal(shown.user, "erin");
  const changed = data(await admin.PATCH("/v1/tokens/{id}", { params, body: { auth_slug: "app" } }));
  assert.equal(changed.auth_slug, "app");
  const path = { user: "erin" };
  const page = data(await admin.GET("/v1/users/{user}/tokens", { params: { path, query: { limit: 10 } } }));
  assert.deepEqual([page.tokens.map((token) => token.id), page.next_cursor], [[issued.id], null]);
  const batch = { tokens: [issued.token, "dw_nonsense"] };
  const { results } = data(await admin.POST("/v1/validate", { body: batch }));
  const users = results.map((result) => ("user" in result ? result.user : null));
  assert.deepEqual(users, ["erin", null]);

  assert.equal(data(await holder(issued.token).GET("/session")).id, issued.id);
  const { response: passed } = await holder(issued.token).GET("/auth");
  assert.deepEqual([passed.status, passed.headers.get("x-auth-user")], [200, "erin"]);
  assert.equal((await admin.DELETE("/v1/tokens/{id}", { params })).response.status, 204);
  assert.equal((await holder(issued.token).GET("/auth")).response.status, 401);
  const { error } = await admin.PATCH("/v1/tokens/{id}", { params, body: { is_active: true } });
  assert.equal(error?.errors?.[0]?.pointer, "#/is_active");
}

async function takeovers() {
  const issued = data(await admin.POST("/v1/tokens", { body: { user: "support", ip: "::1" } }));
  const params = { path: { id: issued.id } };
  const body = { user: "bob", reason: "ticket 17" };
  const takeover = data(await admin.POST("/v1/tokens/{id}/takeover", { params, body }));
  assert.equal(takeover.is_active, true);
  const { response: passed } = await holder(issued.token).GET("/auth");
  assert.equal(passed.headers.get("x-auth-user"), "bob");
  assert.equal(data(await holder(issued.token).POST("/logout")).ended, "takeover");
  const history = data(await admin.GET("/v1/tokens/{id}/takeovers", { params }));
  assert.deepEqual(history.takeovers.map((past) => past.is_active), [false]);
}

async function sessions() {
  const record = { scheme: "drf", user: "dave", token: "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4c" } as const;
  const { results } = data(await admin.POST("/v1/import", { body: { tokens: [record] } }));
  assert.deepEqual(results.map((result) => result.status), ["imported"]);
}

await tokens();
await takeovers();
await sessions();
