/* Holds answers to docs/openapi.yaml, and requests for nothing: what a test sends wrong is its own affair.
 *
 * The document is YAML written as JSON, so JSON.parse() reads it. check_answer() finds the operation by method and
 * path, the answer's schema by status and media type, and demands every documented header and no undocumented member:
 * an object whose schema lists properties is closed unless it says additionalProperties. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const document = JSON.parse(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8'));

export function resolve(node) {
  while (node && node.$ref) {
    assert.ok(node.$ref.startsWith('#/'), `a reference out of the document: ${node.$ref}`);
    const steps = node.$ref.slice(2).split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const target = steps.reduce((at, step) => at?.[step], document);
    assert.ok(target, `a reference to nothing: ${node.$ref}`);
    node = target;
  }
  return node;
}

const formats = {
  'uuid': /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  'uri-reference': /^[^\s]+$/,
};

const known_keywords = new Set(['$ref', 'type', 'enum', 'const', 'properties', 'required', 'additionalProperties',
  'items', 'minItems', 'maxItems', 'uniqueItems', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'format', 'anyOf',
  'allOf', 'default', 'description', 'contentEncoding']);

function type_of(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return typeof value;
}

function has_type(value, type) {
  const found = type_of(value);
  return found === type || (type === 'number' && found === 'integer');
}

/* The members that a schema, its references and its allOf name; null where it leaves the object open. */
function named_members(schema) {
  schema = resolve(schema);
  const parts = (schema.allOf ?? []).map(named_members);
  if (schema.additionalProperties !== undefined || schema.anyOf || parts.includes(null)) return null;
  if (!schema.properties && parts.length === 0) return null;
  return new Set([...Object.keys(schema.properties ?? {}), ...parts.flatMap((part) => [...part])]);
}

function check_object(schema, value, at, faults) {
  for (const name of schema.required ?? []) if (!(name in value)) faults.push(`${at}/${name} is missing`);
  for (const [name, member] of Object.entries(value)) {
    const inner = schema.properties?.[name] ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : null);
    if (inner) collect_faults(inner, member, `${at}/${name}`, faults);
    else if (schema.additionalProperties === false) faults.push(`${at}/${name} may not be there`);
  }
}

function check_scalar(schema, value, at, faults) {
  if (typeof value === 'string') {
    const characters = [...value].length;
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) faults.push(`${at}: '${value}' does not match ${schema.pattern}`);
    if (characters < (schema.minLength ?? 0)) faults.push(`${at} is too short`);
    if (characters > (schema.maxLength ?? Infinity)) faults.push(`${at} is too long`);
    if (schema.format && !formats[schema.format].test(value)) faults.push(`${at}: '${value}' is no ${schema.format}`);
  }
  if (typeof value === 'number') {
    if (value < (schema.minimum ?? -Infinity)) faults.push(`${at}: ${value} is too small`);
    if (value > (schema.maximum ?? Infinity)) faults.push(`${at}: ${value} is too large`);
  }
}

function collect_faults(schema, value, at, faults) {
  schema = resolve(schema);
  for (const keyword of Object.keys(schema)) assert.ok(known_keywords.has(keyword), `contract.mjs does not know the keyword '${keyword}'`);
  if (schema.type && ![schema.type].flat().some((type) => has_type(value, type))) {
    faults.push(`${at} is ${type_of(value)}, not ${[schema.type].flat().join(' or ')}`);
    return;
  }
  if ('const' in schema && value !== schema.const) faults.push(`${at} is ${JSON.stringify(value)}, not ${JSON.stringify(schema.const)}`);
  if (schema.enum && !schema.enum.includes(value)) faults.push(`${at} is ${JSON.stringify(value)}, not one of ${schema.enum.join(', ')}`);
  if (schema.anyOf && !schema.anyOf.some((one) => faults_of(one, value).length === 0)) faults.push(`${at} is none of anyOf`);
  for (const part of schema.allOf ?? []) collect_faults(part, value, at, faults);
  check_scalar(schema, value, at, faults);
  if (type_of(value) === 'array') {
    if (value.length < (schema.minItems ?? 0)) faults.push(`${at} has too few items`);
    if (value.length > (schema.maxItems ?? Infinity)) faults.push(`${at} has too many items`);
    if (schema.uniqueItems && new Set(value.map((item) => JSON.stringify(item))).size < value.length) faults.push(`${at} has an item twice`);
    if (schema.items) value.forEach((item, i) => collect_faults(schema.items, item, `${at}/${i}`, faults));
  }
  if (type_of(value) === 'object') check_object(schema, value, at, faults);
}

function check_closed(schema, value, at, faults) {
  schema = resolve(schema);
  if (type_of(value) === 'array' && schema.items) value.forEach((item, i) => check_closed(schema.items, item, `${at}/${i}`, faults));
  if (type_of(value) !== 'object') return;
  const named = named_members(schema);
  for (const [name, member] of Object.entries(value)) {
    if (named && !named.has(name)) faults.push(`${at}/${name} is not documented`);
    if (schema.properties?.[name]) check_closed(schema.properties[name], member, `${at}/${name}`, faults);
  }
}

/* What is wrong with the value, as texts. */
export function faults_of(schema, value) {
  const faults = [];
  collect_faults(schema, value, '', faults);
  check_closed(schema, value, '', faults);
  return faults;
}

const patterns = Object.keys(document.paths).map((path) => ({
  path,
  matcher: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[a-z_]+\}/g, '[^/]+')}$`),
  wildcards: (path.match(/\{/g) ?? []).length,
})).sort((a, b) => a.wildcards - b.wildcards);

/* The documented path that a request path belongs to, or null. */
export function find_path(path) {
  return patterns.find((pattern) => pattern.matcher.test(path.split('?')[0]))?.path ?? null;
}

export function methods_of(path) {
  return Object.keys(document.paths[path]).map((method) => method.toUpperCase());
}

export const problem_schema = { $ref: '#/components/schemas/Problem' };

/* `answer`: {status, headers: Headers, body: Buffer}. Asserts that the document allows it; `method` HEAD goes by GET. */
export function check_answer(method, path, answer) {
  const what = `${method} ${path} → ${answer.status}`;
  const type = (answer.headers.get('content-type') ?? '').split(';')[0].trim();
  assert.match(answer.headers.get('x-request-id') ?? '', /^[!-~]{1,200}$/, `${what}: X-Request-Id`);
  if (answer.status >= 400) {
    assert.equal(type, 'application/problem+json', `${what}: a problem is told as a problem document`);
    if (method !== 'HEAD') {
      const problem = JSON.parse(answer.body.toString());
      assert.deepEqual(faults_of(problem_schema, problem), [], `${what}: ${answer.body}`);
      assert.equal(problem.status, answer.status, `${what}: the document's status`);
    }
  }
  const documented = find_path(path);
  const operation = documented && document.paths[documented][method === 'HEAD' ? 'get' : method.toLowerCase()];
  if (!operation) {
    assert.ok([400, 404, 405, 501].includes(answer.status), `${what}: there is no such operation`);
    return;
  }
  assert.ok(operation.responses[answer.status], `${what}: not a documented status: ${answer.body}`);
  const response = resolve(operation.responses[answer.status]);
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    const value = answer.headers.get(name);
    const { required, schema } = resolve(header);
    if (required) assert.notEqual(value, null, `${what}: the header ${name}`);
    if (value !== null) assert.deepEqual(faults_of(schema, schema.type === 'integer' ? Number(value) : value), [], `${what}: ${name}`);
  }
  if (!response.content) {
    assert.equal(answer.body.length, 0, `${what}: has no body`);
    return;
  }
  assert.ok(response.content[type], `${what}: '${type}' is not a documented media type`);
  if (type.endsWith('json') && method !== 'HEAD')
    assert.deepEqual(faults_of(response.content[type].schema, JSON.parse(answer.body.toString())), [], `${what}: ${answer.body.toString().slice(0, 500)}`);
}
