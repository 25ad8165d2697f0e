// Signing keys by name, as `rsa-1`: each is made when it is first asked for, and stays the same.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto'

const OPTIONS = { rsa: { modulusLength: 2048 }, ec: { namedCurve: 'P-256' }, ed25519: {} }

// By way of PEM: Node 20 now and then hangs when it exports a key as JWK that it has just made.
const ENCODINGS = {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
}

const made = {}

function make(name) {
  const kind = name.split('-')[0]
  const { privateKey } = generateKeyPairSync(kind, { ...OPTIONS[kind], ...ENCODINGS })
  return { ...createPrivateKey(privateKey).export({ format: 'jwk' }), kid: name }
}

export const keySet = (names) => ({ keys: names.map((name) => (made[name] ??= make(name))) })
