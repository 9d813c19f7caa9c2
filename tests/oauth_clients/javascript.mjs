// oauth4webapi and openid-client as they come: introspect, revoke, introspect again.
// Environment: URL of the admin plane, KEY, TOKEN; prints what each step found, a line of JSON each.
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'

const { URL: url, KEY: key, TOKENS: tokens } = process.env
const [first, second, third] = tokens.split(' ')
const server = { issuer: url, introspection_endpoint: `${url}/introspect`, revocation_endpoint: `${url}/revoke` }
const print = (what) => console.log(JSON.stringify(what))

// oauth4webapi, with each of its ways to show a secret.
const client = { client_id: 'a resource server' }
const http = { [oauth.allowInsecureRequests]: true }
for (const [token, authentication] of [
  [first, oauth.ClientSecretBasic(key)],
  [second, oauth.ClientSecretPost(key)],
]) {
  const introspect = async () => {
    const response = await oauth.introspectionRequest(server, client, authentication, token, http)
    print(await oauth.processIntrospectionResponse(server, client, response))
  }
  await introspect()
  const response = await oauth.revocationRequest(server, client, authentication, token, http)
  await oauth.processRevocationResponse(response)
  await introspect()
}
const wrong = oauth.ClientSecretBasic('k'.repeat(40))
const response = await oauth.introspectionRequest(server, client, wrong, first, http)
try {
  await oauth.processIntrospectionResponse(server, client, response)
  print('no error')
} catch (error) {
  print({ status: error.status, challenges: error.cause?.map?.((challenge) => challenge.scheme) })
}

// openid-client with its default, the secret in the form.
const configuration = new openid.Configuration(server, 'a resource server', key)
openid.allowInsecureRequests(configuration)
print(await openid.tokenIntrospection(configuration, third))
await openid.tokenRevocation(configuration, third)
print(await openid.tokenIntrospection(configuration, third))
