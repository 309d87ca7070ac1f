// Package arrow reads one column of texts out of an Arrow stream or file, batch by batch.
//
// It reads every type that Arrow has for texts (Utf8, LargeUtf8, Utf8View, and dictionaries of them, replaced and added
// to), beside columns of any type, uncompressed or compressed with LZ4 or zstd. The format is
// https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc. A file holds the
// messages of a stream, and at its end where they lie.
//
// It is here, where there is a library for all of Arrow, because corpora come from strangers: the library makes room
// for whatever a message claims, and what checks a message first has to know as much of the format as what reads one
// column. Whatever a message claims is checked against what it holds; only the column that is asked for is unpacked.
// The library is what the tests compare with.
package arrow
