"""Makes the files beside this one: what pyarrow and Python's compressors write. Needs pyarrow and polars; 26.0.1 and 2.1.0 made those here."""
import bz2
import gzip
import lzma

import polars
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

texts = ["one", None, "two née", "", "five", "six"]
table = pa.table({"id": list(range(6)), "text": pa.array(texts), "tags": [["a"], [], None, ["b"], [], []]})

with ipc.new_stream("stream.arrow", table.schema) as w:  # as the library datasets saves to disk
    w.write_table(table, max_chunksize=4)
with ipc.new_file("file.feather", table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as w:
    w.write_table(table, max_chunksize=4)
with ipc.new_file("lz4.arrow", table.schema, options=ipc.IpcWriteOptions(compression="lz4")) as w:
    w.write_table(table)
for name, kind in [("large", pa.large_string()), ("view", pa.string_view()), ("dictionary", pa.dictionary(pa.int32(), pa.string()))]:
    column = pa.array(texts).dictionary_encode() if name == "dictionary" else pa.array(texts, kind)
    other = pa.table({"text": column})
    with ipc.new_stream(name + ".arrow", other.schema) as w:
        w.write_table(other)

# Version 4 of the metadata, in which more columns say what they miss; and what Polars writes: dictionaries behind the batches.
first = [pa.UnionArray.from_dense(pa.array([0] * 6, pa.int8()), pa.array(range(6), pa.int32()), [pa.array([1] * 6), pa.array(["z"] * 6)]),
         pa.RunEndEncodedArray.from_arrays(pa.array([6], pa.int32()), pa.array(["q"])), pa.array(["beside the other texts"] * 6, pa.string_view())]
other = pa.table(first + [pa.array(texts, pa.string_view())], ["union", "runs", "view", "text"])
with ipc.new_file("version4.feather", other.schema, options=ipc.IpcWriteOptions(metadata_version=ipc.MetadataVersion.V4)) as w:
    w.write_table(other)
polars.DataFrame({"kind": polars.Series(["a", "b"] * 3, dtype=polars.Categorical), "text": polars.Series(texts, dtype=polars.Categorical)}).write_ipc("polars.feather")

schema = table.schema
with pq.ParquetWriter("empty-groups.parquet", schema) as w:  # groups of no rows between others
    for piece in [table.slice(0, 0), table.slice(0, 4), table.slice(0, 0), table.slice(4), table.slice(0, 0)]:
        w.write_table(piece)
pq.write_table(table.slice(0, 0), "no-rows.parquet")
with pq.ParquetWriter("no-groups.parquet", schema):
    pass
pq.write_table(pa.table({"text": pa.array([None, None, None], pa.string())}), "all-missing.parquet", data_page_version="2.0")

lines = b'{"text": "packed one"}\n{"text": "packed two"}\n'
open("lines.jsonl.bz2", "wb").write(bz2.compress(lines))
open("lines.xz", "wb").write(lzma.compress(lines))
open("lines.gz", "wb").write(gzip.compress(lines, mtime=0))
open("rows.csv.xz", "wb").write(lzma.compress(b'id,text\n1,"row, one"\n'))
