"""A web application on servers that nobody here wrote.

    server.py uvicorn|werkzeug DESCRIPTOR     a socket that is bound and listens
"""
import socket
import sys


def work(number):
    return sum(range(number % 100))


def serve_uvicorn(listener):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def answer(request):
        return PlainTextResponse(str(work(int(request.path_params["number"]))))

    application = Starlette(routes=[Route("/work/{number}", answer)])
    uvicorn.Server(uvicorn.Config(application, log_level="warning", loop="asyncio")).run(sockets=[listener])


def serve_werkzeug(listener):
    """A thread a connection."""
    import logging

    from flask import Flask
    from werkzeug.serving import WSGIRequestHandler, make_server

    application = Flask(__name__)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"

    @application.route("/work/<int:number>")
    def answer(number):
        return str(work(number))

    make_server("127.0.0.1", 0, application, threaded=True, fd=listener.fileno()).serve_forever()


if __name__ == "__main__":
    {"uvicorn": serve_uvicorn, "werkzeug": serve_werkzeug}[sys.argv[1]](socket.socket(fileno=int(sys.argv[2])))
