import io

from flask import Flask, jsonify, redirect, render_template, request, send_file, session, url_for

app = Flask(__name__)
app.secret_key = "for tests only"
# The browser may keep them for as long as it likes; what is saved must be seen all the same.
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600

GREETING = "Hello"


@app.get("/")
def home():
    return render_template("home.html", greeting=GREETING, user=session.get("user"))


@app.post("/login")
def login():
    session["user"] = request.form["name"]
    return redirect(url_for("home", _external=True))


@app.get("/broken")
def broken():
    return f"<!doctype html><p id=sum>{1 / 0}"


@app.get("/api/broken")
def api_broken():
    return jsonify(error="out of order"), 500


@app.get("/download")
def download():
    content = b"".join(b"%09d\n" % n for n in range(100_000))
    return send_file(io.BytesIO(content), "text/plain", download_name="numbers.txt", conditional=True, etag="numbers")
