// Random edits of random pages without scripts: each patch must end on what a fresh load shows.

import { compare, forEach } from './frames.mjs'
import { documentAndEdits } from './random.mjs'

// `steps` edits in a row of one page, `trials` times. At the end of a chain it goes back to the first version.
export const fuzz = async ({ seed, trials, steps = 1 }) => {
  const told = { patched: 0, wrong: [], reloads: {} }
  const run = async (trial) => {
    const versions = documentAndEdits(trial, Array(steps).fill(0), location.origin)
    const texts = versions.map(({ text }) => text)
    if (steps > 1) texts.push(texts[0])
    const results = await compare(texts)
    results.forEach((result, i) => {
      if (result.wrong || result.wrote) {
        told.wrong.push({ trial, step: i, edits: versions[i + 1]?.edits, ...result, oldText: texts[i], newText: texts[i + 1] })
      } else if (result.done) {
        told.patched += 1
      } else {
        told.reloads[result.reload] = (told.reloads[result.reload] ?? 0) + 1
      }
    })
  }
  await forEach(Array.from({ length: trials }, (_, i) => seed + i), run)
  return told
}
