// Package files reads corpora from the files they come in: text, JSON, CSV, Parquet and Arrow, and what gzip, zstd,
// bzip2 or xz made of them.
//
// [Open] takes a folder, walked in lexical order, or one file, and streams its documents. What a file is, its content
// says, and its name only where the content leaves it open:
//
//	JSON Lines            each line's text field is a document; also objects one after the other in any layout
//	JSON arrays           the same for each element; an element that is a string is a document itself
//	CSV, TSV              the text column of each row, by the names in the first row
//	Parquet               the text column of each row
//	Arrow files, streams  the same; folders that the Python library datasets saved to disk hold such files
//	anything else         is one document if it is UTF-8 text
//
// Links are followed, no file or folder being read twice for that. What was read and what was left out, and why, stands
// in [Options.Report] at the end.
//
// It stands apart from package corpus so that who has texts of their own does not link decompressors.
package files
