// Package serve is the workbench: an explorer of a model's neurons in the browser, and a warm model for notebooks and
// other programs, over HTTP.
//
// A [Server] is an http.Handler. It shows what a store holds, in tables that are filtered and sorted here, so that a
// page of a hundred thousand neurons is a small one; asks its model for what is not stored, a text typed now for
// instance; and makes runs. Whatever the pages show is also answered as JSON under /api/v1, which /api/v1/openapi.json
// describes; models.Open("http://…") is a client. [WriteSite] writes the explorer as files that need no server.
//
// # Safety
//
// A page of somewhere else must not be able to read or drive a server on this machine. Requests name a host that the
// server knows (so that no foreign name that leads here reads it), those that change something or cost much come from
// its own pages or from no page at all, and beyond loopback all need a token. Answers forbid scripts, styles and
// connections of any other origin, and inline ones. Bodies, texts, time and the number of requests at work are
// bounded. Errors name no path of the machine. Nothing is written unless [Options].Write says so.
package serve
