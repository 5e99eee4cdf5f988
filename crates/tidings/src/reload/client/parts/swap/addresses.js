  // ---- addresses, and where they stand -------------------------------------------------------------

  // An address that no cache has a response for.
  const versioned = (url, version, base = document.baseURI) => {
    const fresh = new URL(url, base)
    fresh.searchParams.set('tidings', version)
    return fresh.href
  }

  const isSheet = (path) => /\.css$/i.test(path)
  const isImage = (path) => /\.(png|jpe?g|gif|webp|avif|svgz?|ico|bmp|apng)$/i.test(path)
  const isFont = (path) => /\.(woff2?|[ot]tf)$/i.test(path)
  const isMedia = (path) =>
    /\.(mp[34]|m4[av]|webm|og[gva]|opus|wav|flac|aac|mov|vtt|webmanifest)$|\bmanifest\.json$/i.test(path)

  // CSS Syntax 4.3.7: a backslash, and a code point in hexadecimal digits or any character.
  const unescaped = (text) =>
    text.replace(/\\(?:([0-9a-f]{1,6})\s?|([^]))/gi, (_, hex, char) =>
      hex ? String.fromCodePoint(Math.min(parseInt(hex, 16), 0x10ffff)) : char,
    )

  // Calls `change` for each url() in a CSS text, and puts what it returns in its place. Strings that are
  // no addresses are passed over. (In what the browser serialises, an image-set() has url() as well.)
  const eachUrl = (text, change) =>
    text.replace(
      /url\(\s*(?:"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|([^"')]*?))\s*\)|"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'/gi,
      (whole, double, single, bare) => {
        const url = double ?? single ?? bare
        const next = url && change(unescaped(url))
        return next ? `url("${next}")` : whole
      },
    )

  // HTML 4.8.4.3.10: candidates are an address without blanks, then descriptors up to a comma that is
  // not in parentheses. An address may hold commas, but those at its end separate.
  const eachCandidate = (text, change) => {
    const candidates = []
    let rest = text
    while ((rest = rest.replace(/^[\s,]+/, ''))) {
      let [url] = rest.match(/^\S+/)
      rest = rest.slice(url.length)
      let descriptors = ''
      if (url.endsWith(',')) {
        url = url.replace(/,+$/, '')
      } else {
        ;[descriptors] = rest.match(/^(?:\([^)]*\)?|[^,(])*/)
        rest = rest.slice(descriptors.length)
      }
      candidates.push(`${change(url) ?? url} ${descriptors.trim()}`.trim())
    }
    return candidates.join(', ')
  }

