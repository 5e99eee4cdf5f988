<?php
throw new RuntimeException('out of order');
