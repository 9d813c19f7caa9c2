// The main calls with the clients that @hey-api/openapi-ts generates from both documents.
import assert from "node:assert/strict";
import { client as admin } from "./admin-sdk/client.gen.js";
import * as calls from "./admin-sdk/index.js";
import { client as validation } from "./validation-sdk/client.gen.js";
import * as own from "./validation-sdk/index.js";

admin.setConfig({ baseUrl: process.env.ADMIN!, auth: process.env.KEY! });
validation.setConfig({ baseUrl: process.env.VALIDATION! });
const throwOnError = true;

async function tokens() {
  const { data: issued } = await calls.issueToken({ body: { user: "frank", ip: "203.0.113.7" }, throwOnError });
  const path = { id: issued.id };
  assert.equal((await calls.showToken({ path, throwOnError })).data.user, "frank");
  const { data: changed } = await calls.changeToken({ path, body: { auth_slug: "app" }, throwOnError });
  assert.equal(changed.auth_slug, "app");
  const { data: page } = await calls.listUserTokens({ path: { user: "frank" }, query: { limit: 10 }, throwOnError });
  assert.deepEqual([page.tokens.map((token) => token.id), page.next_cursor], [[issued.id], null]);
  const { data: batch } = await calls.validateTokens({ body: { tokens: [issued.token, "dw_x"] }, throwOnError });
  assert.deepEqual(batch.results.map((result) => result.is_active), [true, false]);

  const auth = issued.token;
  assert.equal((await own.showSession({ auth, throwOnError })).data.id, issued.id);
  const { response: passed } = await own.authenticate({ auth, throwOnError });
  assert.equal(passed.headers.get("x-auth-user"), "frank");
  await calls.revokeToken({ path, throwOnError });
  assert.equal((await own.authenticate({ auth })).response?.status, 401);
  const { error } = await calls.changeToken({ path, body: { is_active: true } });
  assert.equal(error?.errors?.[0]?.pointer, "#/is_active");
}

async function takeovers() {
  const { data: issued } = await calls.issueToken({ body: { user: "support", ip: "::1" }, throwOnError });
  const path = { id: issued.id };
  const { data: takeover } = await calls.startTakeover({ path, body: { user: "bob" }, throwOnError });
  assert.equal(takeover.is_active, true);
  await calls.endTakeover({ path, throwOnError });
  const { data: history } = await calls.listTokenTakeovers({ path, throwOnError });
  assert.deepEqual(history.takeovers.map((past) => past.is_active), [false]);
  assert.equal((await own.logOut({ auth: issued.token, throwOnError })).data.ended, "token");
}

async function sessions() {
  const token = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4d";
  const body = { tokens: [{ scheme: "drf" as const, user: "dave", token }] };
  const { data } = await calls.importSessions({ body, throwOnError });
  assert.deepEqual(data.results.map((result) => result.status), ["imported"]);
}

await tokens();
await takeovers();
await sessions();
