// docket-sandbox's provider and carrier: keep-alive, one key per order and call.  A charge is two calls, as in
// Docket: the intent is made, then confirmed.
import { Pool } from 'undici'
const pool = new Pool(process.env.PROVIDER_URL, { connections: Number(process.env.PROVIDER_CONNS ?? 256), pipelining: 1, headersTimeout: 10000, bodyTimeout: 10000 })

async function post (path, key, type, data) {
  const { statusCode, body } = await pool.request({
    path, method: 'POST', body: data,
    headers: { 'content-type': type, authorization: 'Bearer sk_test', 'idempotency-key': key }
  })
  if (statusCode >= 300) throw new Error(`provider ${path}: ${statusCode} ${await body.text()}`)
  return body.json()
}
const form = (path, key, data) => post(path, key, 'application/x-www-form-urlencoded', new URLSearchParams(data).toString())

export async function charge (o) {
  const intent = await form('/v1/payment_intents', `pay-${o.id}`, { amount: o.total, currency: o.currency.toLowerCase(), payment_method: o.payment_method, 'metadata[order_id]': o.id })
  return form(`/v1/payment_intents/${intent.id}/confirm`, `confirm-${o.id}`, {})
}
export const ship = o => post('/shipments', `ship-${o.id}`, 'application/json', JSON.stringify({
  reference: o.id, order: o.id, name: 'Ada Lovelace', method: 'standard',
  lines: o.items.map(({ sku, quantity }) => ({ sku, quantity })),
  address: { line1: o.shipping_address.line1, country: o.shipping_address.country }
}))
