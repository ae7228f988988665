"""Google Cloud Storage on this machine: `emulated_bucket.py [PORT]` prints its port and serves until stdin closes."""

import sys

from gcp_storage_emulator.handlers import objects

plain_download = objects.download


def download(request, response, storage, *args, **kwargs):
    """With the object's generation, by which TensorStore sees whether it has changed; the emulator leaves it out."""
    where = request.params["bucket_name"], request.params["object_id"]
    if where[1] in storage.objects.get(where[0], {}):
        response["x-goog-generation"] = storage.get_file_obj(*where)["generation"]
    plain_download(request, response, storage, *args, **kwargs)


def main():
    objects.download = download  # before the server makes its table of routes
    from gcp_storage_emulator.server import create_server

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = create_server("localhost", port, in_memory=True, default_bucket="bucket")
    server.start()
    print(server._api._httpd.server_port, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
