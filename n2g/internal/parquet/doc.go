// Package parquet reads one column of texts out of a Parquet file, page by page, and writes tables of rows.
//
// It reads what libraries write for strings: plain, dictionary and delta encodings, data pages of both versions,
// uncompressed or compressed with Snappy, gzip, zstd or LZ4. It writes numbers and texts, and lists of them, none
// missing, as every reader takes them. The format is https://parquet.apache.org/docs/file-format/; its metadata is
// Thrift's compact protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
//
// It is here, where there are libraries for all of Parquet, because corpora come from strangers, and a few bytes of
// such a file can claim a list of two billion elements. Whatever a file claims is checked against what it holds before
// room is made for it: a page takes at most [MaxPage] bytes, metadata at most [maxElements] values. The libraries are
// what the tests compare with.
package parquet
