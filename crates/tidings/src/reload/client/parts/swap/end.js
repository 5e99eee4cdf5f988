  return planUpdates
})
