// Makes the files that pages load from their sources: `minify.mjs DIRECTORY [--check]`, where DIRECTORY holds the npm
// package esbuild (`tests/clients/install npm DIRECTORY` installs it). With --check nothing is written, and the
// exit code says whether the files are what their sources make.
//
// The sources of one file share one scope, so they are joined first. A file begins with a hash of its sources, by
// which a test of Rust tells that it is out of date without node.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const here = new URL('./', import.meta.url)
const [directory, check] = process.argv.slice(2)
const esbuild = createRequire(resolve(directory, 'x.js'))('esbuild')
const options = { minify: true, target: 'es2022', charset: 'utf8', legalComments: 'none' }

const read = (path) => readFileSync(new URL(path, here), 'utf8')
// A style sheet becomes a constant that is named after it.
const sheet = async (path) => {
  const { code } = await esbuild.transform(read(path), { ...options, loader: 'css' })
  return `const ${path.match(/(\w+)\.css$/)[1]}Style = ${JSON.stringify(code.trim())}\n`
}
const fnv1a = (bytes) =>
  bytes.reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn, 0xcbf29ce484222325n)

let stale = false
for (const line of read('files.txt').split('\n')) {
  if (!line || line.startsWith('#')) continue
  const [name, list] = line.split(': ')
  const sources = list.split(' ')
  const texts = await Promise.all(sources.map((path) => (path.endsWith('.css') ? sheet(path) : read(path))))
  const hash = fnv1a(Buffer.from(sources.map(read).join(''))).toString(16).padStart(16, '0')
  // A part is imported: in a block, its names are free to be shortened.
  const joined = texts.join('')
  const { code } = await esbuild.transform(name === 'client.js' ? joined : `{${joined}}`, options)
  const made = `// ${hash}\n${code}`
  const file = new URL(`minified/${name}`, here)
  if (existsSync(file) && readFileSync(file, 'utf8') === made) continue
  stale = true
  if (check) console.error(`${name} is not what its sources make: run reload/client/minify.mjs`)
  else writeFileSync(file, made)
}
process.exitCode = check && stale ? 1 : 0
