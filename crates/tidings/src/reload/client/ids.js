  // ---- ids of events -------------------------------------------------------------------------------

  // An id is `<epoch>.<position>`. A restarted server has another epoch, and the ids do not
  // say which of two epochs is the later one.
  const epochOf = (id) => id.slice(0, id.lastIndexOf('.'))
  const positionOf = (id) => Number(id.slice(id.lastIndexOf('.') + 1))
  const sameLog = (a, b) => epochOf(a) === epochOf(b)
  const isAfter = (id, other) => !sameLog(id, other) || positionOf(id) > positionOf(other)

