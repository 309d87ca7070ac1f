// Package files reads corpora from the files they come in: text, JSON Lines, Parquet, and what gzip or zstd made of
// them.
//
// [Open] takes a folder, walked in lexical order, or one file, and streams its documents:
//
//	x.jsonl, x.ndjson   each line's text field is a document
//	x.parquet           each row's text column is a document
//	anything else       is one document if it is UTF-8 text, and passed over if not
//	x.gz, x.zst         the same for x, unpacked while it is read
//
// It stands apart from package corpus so that who reads plain text only (a notebook's cell, for instance) does not link
// decompressors.
package files
