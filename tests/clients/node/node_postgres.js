'use strict'
// node-postgres (pg) and its companions pg-cursor, pg-query-stream and pg-copy-streams.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { Readable, Writable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const pg = require('pg')
const Cursor = require('pg-cursor')
const QueryStream = require('pg-query-stream')
const copy = require('pg-copy-streams')
const { run, until, deferred } = require('./scenarios.js')

const withClient = async (work, config = {}) => {
  const client = new pg.Client(config)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const count = async (client, table) => Number((await client.query(`SELECT count(*) FROM ${table}`)).rows[0].count)

run({
  values: () => withClient(async (client) => {
    const when = new Date('2024-02-29T12:00:00.123Z')
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n))
    const { rows, fields } = await client.query(
      'SELECT $1::int4 AS i, $2::text AS t, $3::bytea AS b, $4::timestamptz AS w, $5::jsonb AS j, $6::int4[] AS a, $7::bool AS o, $8::text AS n',
      [42, "é漢😀 ' \\", bytes, when, { a: [1, null] }, [1, 2, 3], true, null]
    )
    assert.deepEqual(rows, [{ i: 42, t: "é漢😀 ' \\", b: bytes, w: when, j: { a: [1, null] }, a: [1, 2, 3], o: true, n: null }])
    assert.deepEqual(fields.map((field) => field.name), ['i', 't', 'b', 'w', 'j', 'a', 'o', 'n'])
    const arrays = await client.query({ text: 'SELECT $1::int8 AS n, $2::text AS t', values: [7, 'x'], rowMode: 'array' })
    assert.deepEqual(arrays.rows, [['7', 'x']])
    const large = 'x'.repeat(8 << 20)
    assert.equal((await client.query('SELECT $1::text AS v', [large])).rows[0].v, large)
  }),

  'prepared statements': () => withClient(async (client) => {
    await client.query('CREATE TABLE t (id serial PRIMARY KEY, v text)')
    for (let n = 0; n < 200; n++) {
      const { rows, command, rowCount } = await client.query({
        name: 'add', text: 'INSERT INTO t (v) VALUES ($1) RETURNING id, v', values: [`v${n}`]
      })
      assert.deepEqual([rows, command, rowCount], [[{ id: n + 1, v: `v${n}` }], 'INSERT', 1])
    }
    const { rows } = await client.query('SELECT name FROM pg_prepared_statements')
    assert.deepEqual(rows, [{ name: 'add' }])
    await assert.rejects(client.query({ name: 'wrong', text: 'SELECT nothing_like_it', values: [] }), { code: '42703' })
    assert.equal(await count(client, 't'), 200)
  }),

  'queued queries and errors': () => withClient(async (client) => {
    const answers = await Promise.allSettled([
      client.query('SELECT 1 AS n'),
      client.query('SELECT $1::int / 0', [1]),
      client.query('CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (1), (2); SELECT n FROM t ORDER BY n'),
      client.query('INSERT INTO t VALUES ($1)', [2]),
      client.query('SELECT nonsense FROM t'),
      client.query(''),
      client.query('SELECT 2 AS n')
    ])
    assert.deepEqual(answers.map((answer) => answer.status), ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled', 'fulfilled'])
    assert.deepEqual(answers[2].value.map((result) => result.command), ['CREATE', 'INSERT', 'SELECT'])
    assert.equal(answers[1].reason.code, '22012')
    const duplicate = answers[3].reason
    assert.deepEqual([duplicate.code, duplicate.constraint, duplicate.table, duplicate.detail], ['23505', 't_pkey', 't', 'Key (n)=(2) already exists.'])
    assert.deepEqual([answers[4].reason.code, answers[4].reason.position], ['42703', '8'])
    await client.query('BEGIN')
    await assert.rejects(client.query('SELECT 1/0'))
    await assert.rejects(client.query('SELECT 1'), { code: '25P02' })
    assert.equal((await client.query('COMMIT')).command, 'ROLLBACK')
  }),

  'pool with transactions': async () => {
    const pool = new pg.Pool({ max: 8, maxUses: 30 })
    await pool.query('CREATE TABLE accounts AS SELECT n AS id, 100 AS balance FROM generate_series(1, 10) n')
    const transfer = async (n) => {
      const client = await pool.connect()
      try {
        const [first, second] = [n % 10 + 1, (n * 7 + 3) % 10 + 1].sort((a, b) => a - b)
        await client.query('BEGIN')
        await client.query('SELECT FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE', [[first, second]])
        await client.query('UPDATE accounts SET balance = balance - $1 WHERE id = $2', [n, first])
        await client.query('UPDATE accounts SET balance = balance + $1 WHERE id = $2', [n, second])
        await client.query(n % 5 ? 'COMMIT' : 'ROLLBACK')
      } finally {
        client.release()
      }
    }
    await Promise.all(Array.from({ length: 200 }, (_, n) => transfer(n)))
    assert.equal((await pool.query('SELECT sum(balance)::int AS total FROM accounts')).rows[0].total, 1000)
    await pool.end()
  },

  cursor: () => withClient(async (client) => {
    const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, $1) n', [1000]))
    const seen = []
    for (let rows = await cursor.read(7); rows.length; rows = await cursor.read(7)) seen.push(...rows.map((row) => row.n))
    assert.deepEqual(seen, Array.from({ length: 1000 }, (_, n) => n + 1))
    await cursor.close()
    const early = client.query(new Cursor('SELECT n FROM generate_series(1, 1000000) n'))
    assert.equal((await early.read(3)).length, 3)
    await early.close()
    const failing = client.query(new Cursor('SELECT 1 / (5 - n) FROM generate_series(1, 10) n'))
    assert.equal((await failing.read(2)).length, 2)
    await assert.rejects(failing.read(100), { code: '22012' })
    assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1)
  }),

  'query stream': () => withClient(async (client) => {
    let sum = 0
    for await (const row of client.query(new QueryStream("SELECT n, repeat('x', 1000) AS v FROM generate_series(1, $1) n", [20000], { batchSize: 500 }))) {
      sum += row.n
    }
    assert.equal(sum, 20000 * 20001 / 2)
    const abandoned = client.query(new QueryStream('SELECT n FROM generate_series(1, 10000000) n'))
    for await (const row of abandoned) {
      assert.equal(row.n, 1)
      break
    }
    assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1)
  }),

  'copy streams': () => withClient(async (client) => {
    await client.query('CREATE TABLE t (id int, v text)')
    const lines = function * (total, bad = -1) {
      for (let n = 0; n < total; n++) yield n === bad ? 'bad\tline\n' : `${n}\tvalue é ${n}\n`
    }
    const into = client.query(copy.from('COPY t FROM STDIN'))
    await pipeline(Readable.from(lines(30000)), into)
    assert.equal(into.rowCount, 30000)
    const chunks = []
    await pipeline(client.query(copy.to('COPY (SELECT * FROM t ORDER BY id) TO STDOUT')), new Writable({
      write (chunk, encoding, done) {
        chunks.push(chunk)
        setImmediate(done)
      }
    }))
    assert.equal(Buffer.concat(chunks).toString(), [...lines(30000)].join(''))
    await assert.rejects(pipeline(Readable.from(lines(30000, 12345)), client.query(copy.from('COPY t FROM STDIN'))), { code: '22P02' })
    assert.equal(await count(client, 't'), 30000)
  }),

  'listen, notices and settings': () => withClient(async (client) => {
    const heard = deferred()
    const noticed = deferred()
    client.on('notification', heard.resolve)
    client.on('notice', noticed.resolve)
    await client.query('LISTEN news')
    await withClient((other) => other.query("SELECT pg_notify('news', 'from another session')"))
    assert.equal((await heard.promise).payload, 'from another session')
    await client.query("DO $$ BEGIN RAISE WARNING 'careful'; END $$")
    assert.equal((await noticed.promise).message, 'careful')
    const settings = await client.query("SELECT current_setting('application_name') AS name, current_setting('work_mem') AS memory, current_setting('statement_timeout') AS timeout")
    assert.deepEqual(settings.rows, [{ name: 'node shop', memory: '1234kB', timeout: '12345ms' }])
  }, { application_name: 'node shop', options: '-c work_mem=1234kB', statement_timeout: 12345 }),

  'time-outs and cancelling': () => withClient(async (client) => {
    await client.query('SET statement_timeout = 100')
    await assert.rejects(client.query('SELECT pg_sleep(100)'), { code: '57014' })
    await client.query('RESET statement_timeout')
    await withClient(async (other) => {
      const sleeping = assert.rejects(client.query('SELECT pg_sleep(200)'), { code: '57014' })
      await until(async () => (await other.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(200)'")).rowCount === 1)
      await sleeping
    })
    const query = new pg.Query('SELECT pg_sleep(300)')
    const failed = once(query, 'error')
    client.query(query)
    await withClient((other) => until(async () => (await other.query("SELECT FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(300)'")).rowCount === 1))
    new pg.Client().cancel(client, query)
    assert.equal((await failed)[0].code, '57014')
    assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1)
  }),

  'terminated backend': async () => {
    const client = new pg.Client()
    await client.connect()
    const errors = []
    client.on('error', (error) => errors.push(error.message))
    const ended = new Promise((resolve) => client.once('end', resolve))
    const { rows: [{ pid }] } = await client.query('SELECT pg_backend_pid() AS pid')
    await withClient((other) => other.query('SELECT pg_terminate_backend($1)', [pid]))
    await ended
    assert.equal(errors[0], 'terminating connection due to administrator command')
  },

  'unix socket': () => withClient(async (client) => {
    assert.equal((await client.query('SELECT 6 * 7 AS answer')).rows[0].answer, 42)
  }, { host: process.env.SOCKET_DIRECTORY, port: Number(process.env.SOCKET_PORT) }),

  tls: () => withClient(async (client) => {
    assert.equal(client.connection.stream.encrypted, true)
    assert.equal((await client.query("SELECT repeat('x', 1000000) AS v")).rows[0].v.length, 1000000)
  }, { ssl: { ca: require('node:fs').readFileSync(process.env.ROOT_CERTIFICATE, 'utf8') } })
})
