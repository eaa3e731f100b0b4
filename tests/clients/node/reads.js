'use strict'
// Prints what each driver makes of the reads in READS: JSON, [text with $1, value] each.

const pg = require('pg')
const Cursor = require('pg-cursor')
const postgres = require('postgres')

const reads = JSON.parse(process.env.READS)
const show = (style, rows) => console.log(style, JSON.stringify(rows))

const drivers = {
  'node-postgres': async () => {
    const client = new pg.Client()
    await client.connect()
    for (const [text, value] of reads) {
      const { fields, rows } = await client.query(text, [value])
      show('unnamed', [fields.map((field) => [field.name, field.dataTypeID, field.format]), rows])
      show('simple', (await client.query(text.replace('$1', value))).rows)
    }
    for (let round = 0; round < 2; round++) {
      for (const [number, [text, value]] of reads.entries()) {
        const { rows } = await client.query({ name: `read ${number}`, text, values: [value], rowMode: 'array' })
        show('named', rows)
      }
    }
    show('queued', (await Promise.all(reads.map(([text, value]) => client.query(text, [value])))).map(({ rows }) => rows))
    await client.query('BEGIN')
    for (const [text, value] of reads) show('in a block', (await client.query(text, [value])).rows)
    await client.query('COMMIT')
    const cursor = client.query(new Cursor(reads[3][0], [reads[3][1]]))
    for (let rows = await cursor.read(70); rows.length; rows = await cursor.read(70)) show('in parts', rows)
    await cursor.close()
    await client.end()
  },

  'postgres.js': async () => {
    for (const prepare of [true, false]) {
      const sql = postgres({ ssl: false, max: 1, prepare })
      for (const [text, value] of [...reads, ...reads]) {
        const rows = await sql.unsafe(text, [value], { prepare })
        show('extended', [rows.columns.map((column) => [column.name, column.type]), rows])
        show('simple', await sql.unsafe(text.replace('$1', value)))
      }
      show('pipelined', await Promise.all(reads.map(([text, value]) => sql.unsafe(text, [value], { prepare }))))
      await sql.begin(async (tx) => {
        for (const [text, value] of reads) show('in a block', await tx.unsafe(text, [value], { prepare }))
      })
      for await (const rows of sql`SELECT * FROM readings ORDER BY id`.cursor(70)) show('in parts', rows)
      await sql.end({ timeout: 1 })
    }
  }
}

drivers[process.argv[2]]()
