<?php
session_start();
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    if (isset($_FILES['file'])) {
        $_SESSION['got'] = $_FILES['file']['name'] . ' ' . hash_file('sha256', $_FILES['file']['tmp_name']);
    }
    header('Location: http://' . $_SERVER['HTTP_HOST'] . '/');
    exit;
}
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
?>
<!doctype html>
<title>PHP</title>
<link rel="stylesheet" href="/site.css">
<h1>one</h1>
<p id="visits"><?= $_SESSION['visits'] ?></p>
<p id="got"><?= htmlspecialchars($_SESSION['got'] ?? 'nothing') ?></p>
<form method="post" enctype="multipart/form-data"><input type="file" name="file"><button>Send</button></form>
