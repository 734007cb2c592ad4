// What applications do through ioredis: every type, pipelines, MULTI and WATCH, channels, streams, blocking calls.

const assert = require("node:assert/strict");
const { Redis } = require("ioredis");

const address = { host: "127.0.0.1", port: Number(process.argv[2]) };

async function values(redis) {
  assert.equal(await redis.set("k", "é", "EX", 100), "OK");
  assert.equal(await redis.get("k"), "é");
  assert.equal(await redis.set("k", "w", "NX"), null);
  assert.equal(await redis.ttl("k"), 100);
  assert.equal(await redis.get("none"), null);
  assert.deepEqual(await redis.getBuffer("k"), Buffer.from("é"));
  assert.equal(await redis.incrby("n", 5), 5);
  assert.equal(await redis.incrbyfloat("n", 0.5), "5.5");
  assert.equal(await redis.mset({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await redis.mget("a", "b", "none"), ["1", "2", null]);
  assert.equal(await redis.setbit("bits", 7, 1), 0);
  assert.equal(await redis.bitcount("bits"), 1);
  assert.equal(await redis.pfadd("hll", "a", "b", "c"), 1);
  assert.equal(await redis.pfcount("hll"), 3);
  assert.equal(await redis.del("a", "b", "none"), 2);
}

async function collections(redis) {
  assert.equal(await redis.hset("h", { name: "Ada", age: 36 }), 2);
  assert.deepEqual(await redis.hgetall("h"), { name: "Ada", age: "36" });
  assert.deepEqual(await redis.hgetall("none"), {});
  assert.equal(await redis.rpush("l", "a", "b", "c"), 3);
  assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "b", "c"]);
  assert.equal(await redis.lpop("l"), "a");
  assert.equal(await redis.sadd("s", "x", "y"), 2);
  assert.deepEqual((await redis.smembers("s")).sort(), ["x", "y"]);
  assert.equal(await redis.zadd("z", 1, "one", 2.5, "two"), 2);
  assert.deepEqual(await redis.zrange("z", 0, -1, "WITHSCORES"), ["one", "1", "two", "2.5"]);
  assert.equal(await redis.zscore("z", "two"), "2.5");
  assert.equal(await redis.geoadd("g", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"), 2);
  assert.equal(await redis.geodist("g", "Palermo", "Catania", "km"), "166.2742");
  assert.deepEqual(await redis.geosearch("g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km", "ASC"), ["Catania", "Palermo"]);
  await assert.rejects(redis.lpush("h", "x"), /WRONGTYPE/);
}

async function together(redis) {
  assert.deepEqual(await redis.pipeline().set("p", 1).incr("p").get("p").exec(), [[null, "OK"], [null, 2], [null, "2"]]);
  assert.deepEqual(await redis.multi().set("m", "x").get("m").exec(), [[null, "OK"], [null, "x"]]);
  const failing = await redis.pipeline().set("p", "text").incr("p").exec();
  assert.match(failing[1][0].message, /not an integer/);
  const other = redis.duplicate();
  await redis.watch("w");
  await other.set("w", "theirs");
  assert.equal(await redis.multi().set("w", "mine").exec(), null);
  await redis.multi({ pipeline: false });
  assert.equal(await redis.set("q", 1), "QUEUED");
  assert.deepEqual(await redis.exec(), [[null, "OK"]]);
  const replies = await Promise.all(Array.from({ length: 1000 }, (_, i) => redis.set(`many:${i}`, i)));
  assert.ok(replies.every((reply) => reply === "OK"));
  const found = [];
  for await (const keys of redis.scanStream({ match: "many:*", count: 100 })) found.push(...keys);
  assert.equal(new Set(found).size, 1000);
  await other.quit();
}

async function channels(redis) {
  const listener = redis.duplicate();
  const heard = [];
  listener.on("message", (channel, text) => heard.push(["message", channel, text]));
  listener.on("pmessage", (pattern, channel, text) => heard.push([pattern, channel, text]));
  listener.on("smessage", (channel, text) => heard.push(["smessage", channel, text]));
  assert.equal(await listener.subscribe("news"), 1);
  assert.equal(await listener.psubscribe("n?ws"), 2);
  assert.equal(await listener.ssubscribe("shard"), 1);
  assert.equal(await redis.publish("news", "hello"), 2);
  assert.equal(await redis.spublish("shard", "hi"), 1);
  while (heard.length < 3) await new Promise(setImmediate);
  assert.deepEqual(heard, [["message", "news", "hello"], ["n?ws", "news", "hello"], ["smessage", "shard", "hi"]]);
  assert.equal(await listener.unsubscribe("news"), 1);
  await listener.ping();
  await listener.quit();
}

async function waiting(redis) {
  const other = redis.duplicate();
  const popped = other.blpop("queue", 5);
  const popped2 = redis.duplicate();
  const lowest = popped2.bzpopmin("ranks", 5);
  await redis.rpush("queue", "job");
  await redis.zadd("ranks", 3, "low");
  assert.deepEqual(await popped, ["queue", "job"]);
  assert.deepEqual(await lowest, ["ranks", "low", "3"]);
  assert.equal(await other.blpop("queue", 0.05), null);
  await other.quit();
  await popped2.quit();
}

async function streams(redis) {
  const id = await redis.xadd("events", "*", "kind", "login", "user", "ada");
  assert.match(id, /^\d+-\d+$/);
  assert.deepEqual(await redis.xrange("events", "-", "+"), [[id, ["kind", "login", "user", "ada"]]]);
  assert.equal(await redis.xgroup("CREATE", "events", "readers", "0"), "OK");
  const read = await redis.xreadgroup("GROUP", "readers", "me", "COUNT", 10, "STREAMS", "events", ">");
  assert.deepEqual(read, [["events", [[id, ["kind", "login", "user", "ada"]]]]]);
  assert.equal(await redis.xack("events", "readers", id), 1);
  assert.equal(await redis.xread("BLOCK", 20, "STREAMS", "events", "$"), null);
  assert.equal((await redis.xinfo("STREAM", "events"))[1], 1);
}

async function watching(redis) {
  const monitor = await redis.monitor();
  const seen = new Promise((resolve) => monitor.on("monitor", (time, words, source, db) => resolve({ time, words, source, db })));
  await redis.set("seen", 'a "quoted" word');
  const { time, words, source, db } = await seen;
  assert.deepEqual(words, ["set", "seen", 'a "quoted" word']);
  assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60);
  assert.match(source, /^127\.0\.0\.1:\d+$/);
  assert.equal(db, "3");
  monitor.disconnect();
}

async function main() {
  for (const protocol of [2, 3]) {
    const redis = new Redis({ ...address, connectionName: "smoke", protocol, db: 3, maxRetriesPerRequest: 1 });
    await redis.flushall();
    assert.equal(await redis.client("GETNAME"), "smoke");
    assert.match(await redis.info("server"), /redis_version:7\./);
    for (const part of [values, collections, together, channels, waiting, streams, watching]) await part(redis);
    assert.match(await redis.client("LIST"), /name=smoke .*db=3 /);
    await redis.quit();
  }
}

main().then(
  () => console.log("all passed"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
