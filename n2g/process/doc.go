// Package process explains a model that another program holds: in Python, or in anything else that reads lines and
// writes lines. [Start] runs a command and returns a [Model], which is an n2g.LanguageModel and a corpus.Scanner; every
// question to it is one line of JSON on the command's standard input, every answer one line on its standard output
// (JSON Lines). docs/exec.md describes the lines; n2g explain -exec and other commands use this package.
//
// There are four questions: hello asks what the model is, tokenize and decode are its tokenizer, activations runs
// prompts. Several may be under way at a time; each has an id, and answers may come in any order.
//
// The process is trusted as little as a file from elsewhere. What it answers is checked before it is believed: lengths,
// token ids, numbers, the size of a line. Garbage, an answer that never comes, a pipe that closes and a process that
// ends are errors of one sentence that holds the last lines of its standard error. Whatever it started in its process
// group ends with it.
//
// [Serve] is the other side: it answers for any n2g.LanguageModel.
package process
