import { createServer } from 'node:http'

import { graphql } from './graphql.js'

const server = createServer(async (request, response) => {
  const result = await graphql(request)
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(result))
})

server.listen(8080)
