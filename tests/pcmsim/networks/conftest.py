import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """One thread: on matrices as small as these a second one only waits, long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
