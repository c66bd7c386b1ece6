"""Both transports pass the contract; every method of ours declares a permission."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil

import pytest
from google.protobuf import descriptor_pool

import ascolto
from ascolto.search.v1.service_pb2_grpc import add_SearchServicer_to_server
from services.kit.config import HostPort
from services.kit.rpc import LocalServer, network
from services.kit.rpc.guard import permission_of
from tests.contracts.rpc import RpcContract


class TestLocal(RpcContract):
    @contextlib.contextmanager
    def channel(self, guard, servicer):
        server = LocalServer(guard)
        add_SearchServicer_to_server(servicer, server)
        yield server.channel()


class TestNetwork(RpcContract):
    @contextlib.contextmanager
    def channel(self, guard, servicer):
        server = network.server(guard, threads=2)
        add_SearchServicer_to_server(servicer, server)
        port = network.listen(server, HostPort("127.0.0.1", 0))
        channel = network.connect(HostPort("127.0.0.1", port))
        yield channel
        channel.close()
        server.stop(None).wait(5)


def _methods():
    for module in pkgutil.walk_packages(ascolto.__path__, "ascolto."):
        if module.name.endswith("_pb2"):
            for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    yield f"/{service.full_name}/{method.name}"


@pytest.mark.parametrize("method", sorted(_methods()))
def test_every_method_declares_the_permission_it_needs(method):
    assert permission_of(method), f"{method} needs an option (ascolto.common.v1.permission)"
    assert descriptor_pool.Default().FindMethodByName(method.lstrip("/").replace("/", "."))
