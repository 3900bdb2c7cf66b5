/* docs/openapi.yaml itself: complete, closed, and the same as what the program is built from and serves. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { document, methods_of, resolve } from './contract.mjs';

const problem_statuses = new Set();

function each_operation(visit) {
  for (const [path, item] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(item)) visit(path, method, operation);
}

function each_node(node, visit, at = '') {
  if (node === null || typeof node !== 'object') return;
  visit(node, at);
  for (const [key, child] of Object.entries(node)) each_node(child, visit, `${at}/${key}`);
}

test('it is OpenAPI 3.1 in a form that is JSON as well', () => {
  // red when: docs/openapi.yaml is written as block YAML
  assert.match(document.openapi, /^3\.1\./);
  assert.ok(document.info.title && document.info.version && document.info.license.identifier);
});

test('every reference leads somewhere', () => {
  // red when: a schema is renamed and a $ref to it is not
  each_node(document, (node, at) => {
    if (typeof node.$ref === 'string') assert.ok(resolve(node), at);
  });
});

test('every component is used', () => {
  // That one answers requests that belong to no operation.
  // red when: a call goes and leaves its schema behind
  const used = new Set();
  each_node(document, (node) => { if (typeof node.$ref === 'string') used.add(node.$ref); });
  for (const kind of ['schemas', 'responses', 'parameters', 'headers'])
    for (const name of Object.keys(document.components[kind]))
      if (name !== 'Problem405') assert.ok(used.has(`#/components/${kind}/${name}`), `${kind}/${name} is used nowhere`);
});

test('no answer is a catch-all', () => {
  // red when: an operation says "default" or "4XX"
  each_operation((path, method, operation) => {
    for (const status of Object.keys(operation.responses)) assert.match(status, /^[1-5]\d\d$/, `${method} ${path}`);
  });
});

test('every JSON body has a schema, and every object in it names its members or says that it is open', () => {
  // red when: a response says application/json without a schema
  each_operation((path, method, operation) => {
    const contents = [operation.requestBody?.content, ...Object.values(operation.responses).map((response) => resolve(response).content)];
    for (const content of contents.filter(Boolean))
      for (const [type, media] of Object.entries(content)) assert.ok(Object.keys(resolve(media.schema) ?? {}).length, `${method} ${path} ${type}`);
  });
});

test('every 4xx and 5xx is a problem document with its status and codes', () => {
  // red when: an error answer is written as application/json
  each_operation((path, method, operation) => {
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      problem_statuses.add(Number(status));
      const content = resolve(response).content;
      assert.deepEqual(Object.keys(content), ['application/problem+json'], `${method} ${path} ${status}`);
      const [base, own] = content['application/problem+json'].schema.allOf;
      assert.equal(base.$ref, '#/components/schemas/Problem');
      assert.equal(own.properties.status.const, Number(status));
    }
  });
});

test('every operation has a name of its own, a summary, and each parameter of its path', () => {
  // red when: a path has {show_id} and the parameter is forgotten
  const names = new Set();
  each_operation((path, method, operation) => {
    assert.ok(operation.operationId && !names.has(operation.operationId), `${method} ${path}`);
    names.add(operation.operationId);
    assert.ok(operation.summary && operation.tags.length === 1, `${method} ${path}`);
    const wanted = (path.match(/\{[a-z_]+\}/g) ?? []).map((name) => name.slice(1, -1)).sort();
    const told = (operation.parameters ?? []).map(resolve).filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name).sort();
    assert.deepEqual(told, wanted, `${method} ${path}`);
  });
});

test('every example follows its schema', async () => {
  // red when: a member is renamed in a schema and not in its example
  const { faults_of } = await import('./contract.mjs');
  each_node(document.paths, (node, at) => {
    if (node.example !== undefined && node.schema) assert.deepEqual(faults_of(node.schema, node.example), [], at);
  });
});

test('it holds the calls of routes.def, all of them and no others', () => {
  // red when: a route is added to src/api/routes.def and not to the document
  const text = readFileSync(new URL('../../src/api/routes.def', import.meta.url), 'utf8');
  const routes = [...text.matchAll(/^ROUTE\(\w+, \w+, (\w+), "([^"]+)"/gm)]
    .map(([, method, path]) => `${method} ${path.replace('{show}', '{show_id}').replace('{reservation}', '{reservation_id}').replace('{booking}', '{booking_id}')}`);
  const documented = Object.keys(document.paths).flatMap((path) => methods_of(path).map((method) => `${method} ${path}`));
  assert.deepEqual(documented.sort(), routes.sort());
});

test('it holds the codes of problems.def, each under its status', () => {
  // red when: a problem's code or status changes in src/api/problems.def
  const text = readFileSync(new URL('../../src/api/problems.def', import.meta.url), 'utf8');
  const of_program = [...text.matchAll(/^PROBLEM\(\w+, "(\w+)", (\d+)\)/gm)].map(([, code, status]) => `${status} ${code}`);
  const documented = Object.values(document.components.responses).flatMap((response) => {
    const { status, code } = response.content['application/problem+json'].schema.allOf[1].properties;
    return code.enum.map((one) => `${status.const} ${one}`);
  });
  assert.deepEqual(documented.sort(), of_program.sort());
  assert.deepEqual([...document.components.schemas.Problem.properties.code.enum].sort(), of_program.map((line) => line.slice(4)).sort());
});
