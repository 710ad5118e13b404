// node lint.mjs FILE - what Redocly's recommended rules say against an OpenAPI or AsyncAPI document
import { createConfig, lint } from '@redocly/openapi-core';

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    'info-license': 'off',
    'no-invalid-media-type-examples': 'off', // tests/static/test_openapi.py: some requests are wrong on purpose
    'no-server-example.com': 'off',
    'no-ambiguous-paths': 'off', // a path without a variable goes first (base/http/router.h)
    'operation-4xx-response': 'off', // health and reference have none but what HTTP itself refuses
  },
});
const problems = await lint({ ref: process.argv[2], config });
for (const { ruleId, message, location } of problems)
  console.log(`${location[0]?.pointer ?? ''}: ${ruleId}: ${message}`);
process.exit(problems.length ? 1 : 0);
