from pcmsim.datasets import cache


def test_the_checksum_is_that_of_the_published_example(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert cache.checksum(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
