"""The schema as the generated modules know it: every method of every service, with the permission it declares."""

import importlib

FILES = ["metering", "credits", "settings", "purchases", "admin", "test_clock"]
# What later work brings; it answers UNIMPLEMENTED until then.
UNSERVED = {
    "Credits": {"WatchBalance", "ExportTransactions", "GetUsage", "GetTrend", "ListMonths", "ListAlerts"},
    "Settings": {"SetAlerts"},
    "Purchases": {"StartCheckout", "GetPurchase", "ListPurchases", "GetAutoTopUp", "SetAutoTopUp"},
    "Admin": {"DeleteTenant"},
}


class Method:
    def __init__(self, service, descriptor, permission):
        self.service = service
        self.name = descriptor.name
        self.permission = permission
        self.client_streaming = descriptor.client_streaming
        self.server_streaming = descriptor.server_streaming
        self.request_type = descriptor.input_type._concrete_class
        self.request_fields = set(descriptor.input_type.fields_by_name)

    def __str__(self):
        return f"{self.service}.{self.name}"

    @property
    def is_served(self):
        return self.name not in UNSERVED.get(self.service, set())

    def call(self, client, request=None):
        """Calls it with one request, by default an empty one, and takes all that comes back."""
        stub = getattr(client.stub(self.service), self.name)
        request = self.request_type() if request is None else request
        answer = stub(iter([request]) if self.client_streaming else request)
        return list(answer) if self.server_streaming else answer


def methods():
    from tollgate.v1 import options_pb2

    for name in FILES:
        file = importlib.import_module(f"tollgate.v1.{name}_pb2").DESCRIPTOR
        for service in file.services_by_name.values():
            for descriptor in service.methods:
                permission = descriptor.GetOptions().Extensions[options_pb2.permission]
                assert permission, descriptor.full_name
                yield Method(service.name, descriptor, permission)
