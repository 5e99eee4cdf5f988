  // ---- addresses -----------------------------------------------------------------------------------

  // Without the parameter that a swap has added.
  const unversioned = (url, base = document.baseURI) => {
    const plain = new URL(url, base)
    if (plain.searchParams.has('tidings')) plain.searchParams.delete('tidings')
    plain.hash = ''
    return plain.href
  }

  // The files that an address may be answered with. Of a backend, nothing is known.
  const filesAt = (path) => {
    if (any) return [path]
    if (path.endsWith('/')) return [path, `${path}index.html`, `${path}index.htm`]
    return /\.[^/]*$/.test(path) ? [path] : [path, `${path}.html`, `${path}/index.html`]
  }

  const nameOf = (path) => path.slice(path.lastIndexOf('/') + 1)

