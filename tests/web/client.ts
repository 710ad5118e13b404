// A small shop, written against the types that are generated from schema/openapi.yaml: it has to compile.
import type { components, paths } from './generated.js';

type Schemas = components['schemas'];
type CreateOrder = paths['/v1/orders']['post'];
type Accepted = CreateOrder['responses'][202]['content']['application/json'];
type Refused = CreateOrder['responses'][409 | 422 | 503]['content']['application/problem+json'];

export type Outcome =
  | { accepted: 'yes'; order: Accepted }
  | { accepted: 'no'; code: Refused['code']; total?: Schemas['Money'] }
  | { accepted: 'unknown' };

export async function order(key: string, body: Schemas['NewOrder']): Promise<Outcome> {
  const answer = await fetch('/v1/orders', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify(body),
  });
  if (answer.ok) return { accepted: 'yes', order: (await answer.json()) as Accepted };
  const problem = (await answer.json()) as Refused;
  if (problem.accepted !== 'no') return { accepted: 'unknown' };
  return 'total' in problem
    ? { accepted: 'no', code: problem.code, total: problem.total }
    : { accepted: 'no', code: problem.code };
}

export const basket: Schemas['NewOrder'] = {
  customer: { email: 'ada@example.com', name: 'Ada Example' },
  lines: [{ sku: 'TEA-EARL-250', quantity: 2 }],
  shipping: {
    method: 'standard',
    address: { line1: '1 Example Street', city: 'Exampletown', country: 'DE' },
  },
  expected_total: { amount: 3070, currency: 'EUR' },
  payment: { method: 'pm_card_visa' },
};

export function isOver(order: Schemas['Order']): boolean {
  const status: Schemas['Status'] = order.status;
  return order.final || status === 'refunded';
}

// @ts-expect-error a cart without lines is no order
export const wrong: Schemas['NewOrder'] = { ...basket, lines: undefined };
