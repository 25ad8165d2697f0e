// An OpenID provider on a free port of this machine. Once it listens, it prints where.
// Its access tokens are opaque, or JWTs that are signed with the algorithm of its first argument.

import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import Provider from 'oidc-provider'
import { keySet } from './keys.js'

const ALGORITHM = process.argv[2]
const SCOPES = 'read:widgets write:widgets'

const machine = (client_id, signing = {}) => ({
  ...signing,
  client_id,
  client_secret: `${client_id}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
})

const clients = [
  machine('machine'),
  machine('short-lived'),
  machine('edwards', { id_token_signed_response_alg: 'EdDSA' }),
  machine('padded', { id_token_signed_response_alg: 'PS256' }),
  {
    client_id: 'web',
    client_secret: 'web-secret',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['https://web.example/callback'],
  },
  // Who may ask about tokens and do nothing else. Every odd character has to arrive as it is.
  {
    client_id: 'widget service',
    client_secret: 'a:b c%2Fd+e&f=g/h',
    grant_types: [],
    redirect_uris: [],
    response_types: [],
  },
]

const getResourceServerInfo = (ctx, audience, client) => ({
  audience,
  scope: SCOPES,
  accessTokenFormat: ALGORITHM ? 'jwt' : 'opaque',
  accessTokenTTL: client.clientId === 'short-lived' ? 2 : 86_400,
  jwt: { sign: { alg: client.idTokenSignedResponseAlg } },
})

const configuration = {
  clientDefaults: { id_token_signed_response_alg: ALGORITHM ?? 'RS256' },
  clients,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo },
    revocation: { enabled: true },
  },
  findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
  pkce: { required: () => false },
}

// Signs the user in whom `login_hint` names, with consent to everything.
async function signIn(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response)
  const accountId = params.login_hint
  const grant = new provider.Grant({ accountId, clientId: params.client_id })
  grant.addOIDCScope('openid offline_access')
  grant.addResourceScope(params.resource, SCOPES)
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { login: { accountId }, consent })
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const start = (names) => new Provider(issuer, { ...configuration, jwks: keySet(names) })
  let provider = start(['rsa-1', 'ec-1', 'ed25519-1'])
  // `/keys` is the operator's: the names of the keys to publish. The first of a kind signs.
  server.on('request', async (request, response) => {
    if (request.url === '/keys') {
      provider = start(await json(request))
      response.end()
    } else if (request.url.startsWith('/interaction/')) {
      await signIn(provider, request, response)
    } else {
      await provider.callback()(request, response)
    }
  })
  console.log(`Listening at ${issuer}`)
})
