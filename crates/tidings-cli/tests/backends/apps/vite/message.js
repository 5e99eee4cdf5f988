export const message = 'one'
