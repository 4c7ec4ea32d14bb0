// Calls every method of the unmodified @backstage/catalog-client, and prints a line of JSON for
// each call: {method, got} or {method, error}. Arguments: where it is installed, and settings.
import { createRequire } from "node:module";

const [folder, text] = process.argv.slice(2);
const { address, token, target, moved, uid } = JSON.parse(text);
const require = createRequire(`${folder}/package.json`);
const { CatalogClient, CATALOG_FILTER_EXISTS } = require("@backstage/catalog-client");

const client = new CatalogClient({ discoveryApi: { getBaseUrl: async (id) => `${address}/api/${id}` } });
const as = { token };
const names = (items) => items.map((item) => item?.metadata.name ?? null);
const kept = {};

async function all(pages, read) {
  const found = [];
  for await (const page of pages) found.push(read(page));
  return found;
}

async function told(promise) {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return { name: error.name, status: error.statusCode, body: error.body?.error?.name };
  }
}

const first = { orderFields: { field: "metadata.name", order: "asc" }, limit: 2 };
const bad = { apiVersion: "backstage.io/v1alpha1", kind: "Component", metadata: { name: "no name" } };

const calls = [
  ["getEntities", async () => names((await client.getEntities(undefined, as)).items).sort()],
  ["getEntities filtered", async () =>
    names((await client.getEntities({
      filter: [{ kind: ["component", "api"], "metadata.title": CATALOG_FILTER_EXISTS }, { kind: "user" }],
      fields: ["metadata.name", "kind"], order: { field: "metadata.name", order: "desc" },
      limit: 3, offset: 1,
    }, as)).items)],
  ["getEntitiesByRefs", async () =>
    names((await client.getEntitiesByRefs(
      { entityRefs: ["component:default/svc-two", "component:default/nothing"] }, as)).items)],
  ["getEntitiesByRefs filtered", async () =>
    names((await client.getEntitiesByRefs({
      entityRefs: ["component:default/svc-two", "component:default/svc-one"],
      filter: { "metadata.tags": "java" }, fields: ["metadata.name"],
    }, as)).items)],
  ["getEntitiesByRefs queried", async () =>
    names((await client.getEntitiesByRefs({
      entityRefs: ["component:default/svc-two", "component:default/svc-one"],
      filter: { kind: "component" }, query: { $not: { "metadata.tags": { $contains: "java" } } },
    }, as)).items)],
  ["getEntitiesByRefs in chunks", async () => {
    const many = Array.from({ length: 2100 }, (_, number) => `component:default/none-${number}`);
    const found = await client.getEntitiesByRefs(
      { entityRefs: [...many, "component:default/svc-one"] }, as);
    return [found.items.length, found.items.at(-1).metadata.name];
  }],
  ["queryEntities", async () => {
    kept.page = await client.queryEntities({ filter: { kind: "component" }, ...first }, as);
    return [names(kept.page.items), kept.page.totalItems, Object.keys(kept.page.pageInfo)];
  }],
  ["queryEntities next", async () => {
    kept.next = await client.queryEntities(
      { cursor: kept.page.pageInfo.nextCursor, limit: 5, fields: ["metadata.name"] }, as);
    return [kept.next.items, kept.next.totalItems, Object.keys(kept.next.pageInfo)];
  }],
  ["queryEntities back", async () =>
    names((await client.queryEntities({ cursor: kept.next.pageInfo.prevCursor, limit: 2 }, as)).items)],
  ["queryEntities text", async () =>
    names((await client.queryEntities({
      fullTextFilter: { term: " SVC ", fields: ["metadata.name", "metadata.title"] },
      orderFields: [{ field: "metadata.name", order: "desc" }], totalItems: "exclude",
    }, as)).items)],
  ["queryEntities predicate", async () => {
    const query = { $all: [{ kind: "component" }, { $any: [
      { "spec.type": { $in: ["service", "library"] } },
      { relations: { $contains: { type: "ownedBy", targetRef: "user:default/ada" } } }] }] };
    const page = await client.queryEntities({ query, filter: { "metadata.name": CATALOG_FILTER_EXISTS }, ...first }, as);
    const next = await client.queryEntities({ cursor: page.pageInfo.nextCursor }, as);
    return [names(page.items), names(next.items), next.totalItems];
  }],
  ["streamEntities", async () =>
    all(client.streamEntities({ pageSize: 3, ...{ orderFields: first.orderFields } }, as), names)],
  ["getEntityByRef", async () => {
    const found = await client.getEntityByRef("Component:Default/Svc-One", as);
    return [found.metadata.name, found.kind, found.relations.length > 0];
  }],
  ["getEntityByRef of nothing", async () =>
    (await client.getEntityByRef("component:default/nothing", as)) ?? null],
  ["getEntityByName", async () =>
    (await client.getEntityByName({ kind: "Component", name: "Svc-One" }, as)).metadata.name],
  ["getEntityAncestors", async () => {
    const found = await client.getEntityAncestors({ entityRef: "component:default/svc-one" }, as);
    return [found.rootEntityRef, names(found.items.map((item) => item.entity)), found.items[0].parentEntityRefs];
  }],
  ["getEntityAncestors of nothing", async () =>
    told(client.getEntityAncestors({ entityRef: "component:default/nothing" }, as))],
  ["getEntityFacets", async () =>
    (await client.getEntityFacets({ facets: ["kind", "spec.lifecycle"], filter: { kind: "component" } }, as)).facets],
  ["getEntityFacets predicate", async () =>
    (await client.getEntityFacets({ facets: ["kind"], query: { kind: { $hasPrefix: "comp" } } }, as)).facets],
  ["refreshEntity", async () => (await client.refreshEntity("component:default/svc-one", as)) ?? null],
  ["refreshEntity of nothing", async () => told(client.refreshEntity("component:default/nothing", as))],
  ["validateEntity", async () =>
    client.validateEntity({ ...bad, metadata: { name: "good" },
      spec: { type: "service", lifecycle: "production", owner: "team-a" } }, "url:https://example.com/x.yaml", as)],
  ["validateEntity bad", async () => {
    const found = await client.validateEntity(bad, "url:https://example.com/x.yaml", as);
    return [found.valid, found.errors.length > 0, found.errors.every((item) => item.name && item.message)];
  }],
  ["analyzeLocation", async () => {
    const found = await client.analyzeLocation({ location: { type: "url", target } }, as);
    return [found.existingEntityFiles.length, Array.isArray(found.generateEntities)];
  }],
  ["addLocation tried", async () => {
    const found = await client.addLocation({ target, dryRun: true }, as);
    return [found.exists, found.entities.some((item) => item.metadata.name === "sibling")];
  }],
  ["addLocation", async () => {
    kept.location = (await client.addLocation({ target }, as)).location;
    return [kept.location.type, kept.location.target === target];
  }],
  ["addLocation again", async () => told(client.addLocation({ type: "url", target }, as))],
  ["addLocation refreshed", async () =>
    (await client.addLocation({ target, onConflict: "refresh" }, as)).location.id === kept.location.id],
  ["getLocations", async () =>
    (await client.getLocations(undefined, as)).items.map((item) => item.target === target)],
  ["getLocationByRef", async () =>
    (await client.getLocationByRef(`url:${target}`, as)).id === kept.location.id],
  ["queryLocations", async () => {
    const found = await client.queryLocations({ query: { type: "url" } }, as);
    return [found.items.length, found.totalItems, found.pageInfo];
  }],
  ["streamLocations", async () => all(client.streamLocations(undefined, as), (page) => page.length)],
  ["getLocationById", async () =>
    (await client.getLocationById(kept.location.id, as)).target === target],
  ["getLocationById of nothing", async () => (await client.getLocationById("nothing", as)) ?? null],
  ["getLocationByEntity of a file", async () =>
    (await client.getLocationByEntity("component:default/svc-one", as)) ?? null],
  ["getLocationByEntity", async () => {
    for (let tries = 0; tries < 150; tries++) {
      const found = await client.getLocationByEntity("component:other/sibling", as);
      if (found) return found.id === kept.location.id;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return "it did not come in time";
  }],
  ["updateLocation", async () => {
    const found = await client.updateLocation(kept.location.id, { target: moved }, as);
    return [found.target === moved, found.id === kept.location.id];
  }],
  ["removeLocationById", async () => (await client.removeLocationById(kept.location.id, as)) ?? null],
  ["removeLocationById again", async () => told(client.removeLocationById(kept.location.id, as))],
  ["removeEntityByUid", async () => {
    await client.removeEntityByUid(uid, as);
    return (await client.getEntityByRef("component:default/web-app", as)) ?? null;
  }],
  ["without a token", async () => told(client.getEntities())],
  ["with a bad token", async () => told(client.getEntities({}, { token: "cbd_nothing" }))],
];

for (const [method, call] of calls) {
  const line = { method };
  try {
    line.got = await call();
  } catch (error) {
    line.error = `${error}`;
  }
  console.log(JSON.stringify(line));
}

const inner = ["constructor", "queryEntitiesByPredicate", "getEntityFacetsByPredicate",
  "requestIgnored", "requestRequired", "requestOptional", "getFilterValue"];
const methods = Object.getOwnPropertyNames(CatalogClient.prototype);
console.log(JSON.stringify({ method: "", got: methods.filter((name) => !inner.includes(name)) }));
