/** The records that the screenshots show. */

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'
const SAFARI = 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Safari/604.1'

/** Makes users, device keys and takeovers. @param {import('./programs.js').Node} node */
export async function seed(node) {
  const related_objects = [{ content_type: 'shop.order', object_id: '17' }]
  const support = await node.issue('support@example.org', { user_agent: FIREFOX, auth_slug: 'staff', backend: 'ldap' })
  await node.call('POST', `/v1/tokens/${support.id}/takeover`, { user: 'alice', reason: 'ticket 4711' })
  await node.call('DELETE', `/v1/tokens/${support.id}/takeover`)
  await node.call('POST', `/v1/tokens/${support.id}/takeover`, { user: 'alice', reason: 'ticket 4712: cart is empty' })
  await node.issue('alice', { user_agent: FIREFOX, auth_slug: 'web', ip: '198.51.100.20', related_objects })
  const uuid = '0c56d67f3c3a4ae59e3b4d8a1d7c7d4e'
  const device = await node.call('POST', '/v1/users/alice/devices', {
    uuid,
    name: 'Alice’s phone',
    user_agent: 'shop/7.2',
  })
  await node.call('POST', '/v1/users/alice/devices', { uuid: 'kitchen-tablet', user_agent: 'shop/6.9 (tablet)' })
  await node.call('PATCH', '/v1/users/alice/devices/kitchen-tablet', { is_active: false })
  const { login_token } = device
  const login = { uuid, login_token, ip: '2001:db8::7', user_agent: SAFARI, auth_slug: 'mobile', related_objects }
  await node.call('POST', '/v1/devices/login', login)
  const acting = await node.issue('alice', {
    user_agent: SAFARI,
    auth_slug: 'web',
    scopes: ['read', 'write'],
    related_objects,
  })
  await node.call('POST', `/v1/tokens/${acting.id}/takeover`, { user: 'bob', reason: 'shared basket' })
  const old = await node.issue('alice', { user_agent: 'curl/8.14.1', expiration: false })
  await node.call('DELETE', `/v1/tokens/${old.id}`)
  return { acting, support }
}
