// What applications do through node-redis, in both versions of the protocol.

const assert = require("node:assert/strict");
const { createClient, WatchError } = require("redis");

const socket = { host: "127.0.0.1", port: Number(process.argv[2]), reconnectStrategy: false };

async function values(client) {
  assert.equal(await client.set("k", "é", { expiration: { type: "EX", value: 100 } }), "OK");
  assert.equal(await client.get("k"), "é");
  assert.equal(await client.set("k", "w", { condition: "NX" }), null);
  assert.equal(await client.ttl("k"), 100);
  assert.equal(await client.get("none"), null);
  assert.equal(await client.incrBy("n", 5), 5);
  assert.equal(await client.incrByFloat("n", 0.5), "5.5");
  assert.equal(await client.mSet({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await client.mGet(["a", "b", "none"]), ["1", "2", null]);
  assert.equal(await client.setBit("bits", 7, 1), 0);
  assert.equal(await client.bitCount("bits"), 1);
  assert.equal(Number(await client.pfAdd("hll", ["a", "b", "c"])), 1);
  assert.equal(await client.pfCount("hll"), 3);
  assert.equal(await client.type("k"), "string");
  assert.equal(await client.objectEncoding("k"), "embstr");
}

async function collections(client) {
  assert.equal(await client.hSet("h", { name: "Ada", age: "36" }), 2);
  assert.deepEqual({ ...(await client.hGetAll("h")) }, { name: "Ada", age: "36" });
  assert.equal(await client.rPush("l", ["a", "b", "c"]), 3);
  assert.deepEqual(await client.lRange("l", 0, -1), ["a", "b", "c"]);
  assert.deepEqual(await client.lPos("l", "c"), 2);
  assert.equal(await client.sAdd("s", ["x", "y"]), 2);
  assert.deepEqual((await client.sMembers("s")).sort(), ["x", "y"]);
  assert.deepEqual(await client.smIsMember("s", ["x", "q"]), [1, 0]);
  assert.equal(await client.zAdd("z", [{ score: 1, value: "one" }, { score: 2.5, value: "two" }]), 2);
  assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [{ value: "one", score: 1 }, { value: "two", score: 2.5 }]);
  assert.equal(await client.zScore("z", "two"), 2.5);
  assert.deepEqual(await client.zPopMin("z"), { value: "one", score: 1 });
  await client.geoAdd("g", [{ longitude: 13.361389, latitude: 38.115556, member: "Palermo" }]);
  assert.equal(Math.round(Number((await client.geoPos("g", "Palermo"))[0].longitude)), 13);
  await assert.rejects(client.lPush("h", "x"), /WRONGTYPE/);
}

async function together(client) {
  assert.deepEqual(await client.multi().set("m", "x").get("m").incr("c").exec(), ["OK", "x", 1]);
  const other = await client.duplicate().connect();
  await client.watch("w");
  await other.set("w", "theirs");
  await assert.rejects(client.multi().set("w", "mine").exec(), WatchError);
  await client.watch("w");
  assert.deepEqual(await client.multi().set("w", "mine").exec(), ["OK"]);
  await Promise.all(Array.from({ length: 1000 }, (_, i) => client.set(`many:${i}`, `${i}`)));
  const found = [];
  for await (const keys of client.scanIterator({ MATCH: "many:*", COUNT: 100 })) found.push(...keys);
  assert.equal(new Set(found).size, 1000);
  const fields = [];
  for await (const entries of client.hScanIterator("h")) fields.push(...entries);
  assert.equal(fields.length, 2);
  other.destroy();
}

async function channels(client) {
  const listener = await client.duplicate().connect();
  const heard = [];
  await listener.subscribe("news", (text, channel) => heard.push(["message", channel, text]));
  await listener.pSubscribe("n?ws", (text, channel) => heard.push(["pmessage", channel, text]));
  await listener.sSubscribe("shard", (text, channel) => heard.push(["smessage", channel, text]));
  assert.equal(await client.publish("news", "hello"), 2);
  assert.equal(await client.sPublish("shard", "hi"), 1);
  while (heard.length < 3) await new Promise(setImmediate);
  assert.deepEqual(heard.map(([kind]) => kind).sort(), ["message", "pmessage", "smessage"]);
  await listener.unsubscribe("news");
  await listener.pUnsubscribe();
  await listener.sUnsubscribe();
  assert.equal(String(await listener.ping()), "PONG");
  await listener.close();
}

async function waiting(client) {
  const other = await client.duplicate().connect();
  const popped = other.blPop("queue", 5);
  await client.rPush("queue", "job");
  assert.deepEqual({ ...(await popped) }, { key: "queue", element: "job" });
  assert.equal(await other.blPop("queue", 0.05), null);
  other.destroy();
}

async function streams(client) {
  const id = await client.xAdd("events", "*", { kind: "login" });
  await client.xGroupCreate("events", "readers", "0");
  const [read] = await client.xReadGroup("readers", "me", { key: "events", id: ">" }, { COUNT: 10 });
  assert.deepEqual(read.messages.map((entry) => [entry.id, { ...entry.message }]), [[id, { kind: "login" }]]);
  assert.equal((await client.xPending("events", "readers")).pending, 1);
  assert.equal(await client.xAck("events", "readers", id), 1);
  assert.equal((await client.xInfoStream("events")).length, 1);
  assert.equal((await client.xInfoGroups("events"))[0].name, "readers");
  assert.equal(await client.xRead({ key: "events", id: "$" }, { BLOCK: 20 }), null);
}

async function looking(client) {
  assert.match(await client.info("server"), /redis_version:7\./);
  const mine = await client.clientInfo();
  assert.deepEqual([mine.name, mine.db], ["smoke", 3]);
  assert.ok((await client.clientList()).length >= 1);
  assert.deepEqual({ ...(await client.configGet("databases")) }, { databases: "16" });
  assert.ok((await client.commandCount()) > 200);
  assert.equal((await client.commandInfo(["get"]))[0].name, "get");
  assert.ok((await client.memoryUsage("k")) > 0);
  assert.ok(Math.abs(Number((await client.time())[0]) - Date.now() / 1000) < 60);
  const lines = [];
  const monitor = await client.duplicate().connect();
  await monitor.monitor((line) => lines.push(String(line)));
  await client.get("seen");
  while (!lines.length) await new Promise(setImmediate);
  assert.match(lines[0], /^\d+\.\d{6} \[3 127\.0\.0\.1:\d+\] "GET" "seen"$/);
  monitor.destroy();
}

async function main() {
  for (const RESP of [2, 3]) {
    const client = await createClient({ socket, RESP, name: "smoke", database: 3 }).on("error", () => {}).connect();
    await client.flushAll();
    for (const part of [values, collections, together, channels, waiting, streams, looking]) await part(client);
    await client.close();
  }
}

main().then(
  () => console.log("all passed"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
