"""The tree of a .tflite file: whole, wherever the file keeps its buffers."""

from ai_edge_litert import schema_py_generated as schema

from edgekws.export.tflite_file import pack_model, read_model


def behind_the_tree(content: bytes) -> bytes:
    """Return a file whose one filled buffer lies after its tree, as in large quantized models."""
    tree = b""
    for _ in range(2):  # the place is known once the size of the tree is
        buffer = schema.BufferT(offset=len(tree) or 2, size=len(content))
        tree = pack_model(schema.ModelT(version=3, buffers=[schema.BufferT(), buffer]))
    return tree + content


def test_a_buffer_behind_the_tree_is_read_and_written_into_it() -> None:
    content = bytes(range(1, 200))
    model = read_model(behind_the_tree(content))
    assert model.buffers[1].data.tobytes() == content
    again = read_model(pack_model(model))
    assert again.buffers[1].data.tobytes() == content
    assert (again.buffers[1].offset, again.buffers[1].size) == (0, 0)
    assert model.buffers[0].data is None
