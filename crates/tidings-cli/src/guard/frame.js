// Runs in sandboxed documents instead of the page's script: see guard/frames.rs.
(() => {
  const script = document.currentScript
  const name = script && new URL(script.src).hash.slice(1)
  const { protocol, hostname, port, pathname, search, hash } = location
  const here = /(^|\.)localhost$/.test(hostname) || hostname === '127.0.0.1' || hostname === '[::1]'
  if (!name || self.origin !== 'null' || !here || hostname === `${name}.localhost`) return
  // Other browsers do not resolve subdomains of `localhost`.
  if (!/Chrome|Firefox/.test(navigator.userAgent)) return
  // Keep the rest of this document from running.
  document.write('<plaintext hidden>')
  location.replace(`${protocol}//${name}.localhost:${port}${pathname}${search}${hash}`)
})()
