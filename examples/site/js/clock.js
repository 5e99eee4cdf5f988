// How long this page has been on the screen. A swapped style sheet lets it run on; a reload starts it
// anew. Change the text below and save.
const label = 'This page has been here for'

const place = document.querySelector('#age')
const born = performance.now()
const tell = () => {
  place.textContent = `${label} ${Math.round((performance.now() - born) / 1000)} s`
}
tell()
setInterval(tell, 1000)
